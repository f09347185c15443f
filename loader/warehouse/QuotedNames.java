package loader.warehouse;

import org.apache.spark.sql.jdbc.JdbcDialect;

/** How names are quoted in the database of a URL, for which Spark's own dialect has other quotes. */
public class QuotedNames extends JdbcDialect {
    private String url;
    private String begin;
    private String end;

    public QuotedNames of(String url, String begin, String end) {
        this.url = url;
        this.begin = begin;
        this.end = end;
        return this;
    }

    public boolean canHandle(String address) {
        return address.equals(url);
    }

    public String quoteIdentifier(String name) {
        return begin + name + end;
    }
}
