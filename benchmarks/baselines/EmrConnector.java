import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.dynamodb.DynamoDBItemWritable;
import org.apache.hadoop.dynamodb.write.DynamoDBOutputFormat;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.mapred.JobConf;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import scala.Tuple2;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

/**
 * The usual script with AWS's Hadoop connector, as the documentation of Amazon EMR shows it.
 *
 * <p>Arguments: RELATION DRIVER_CLASS. Prints the same line of JSON as the other baselines.
 */
public final class EmrConnector {
    private static final String PARTITIONS = "30";

    public static void main(String[] arguments) {
        SparkSession spark = SparkSession.builder().appName("emr").getOrCreate();
        long began = System.nanoTime();
        Dataset<Row> items =
                spark.read()
                        .format("jdbc")
                        .option("url", url())
                        .option("driver", arguments[1])
                        .option("user", System.getenv("REDSHIFT_USER"))
                        .option("password", System.getenv("REDSHIFT_PASSWORD"))
                        .option("dbtable", arguments[0])
                        .option("partitionColumn", "partition_id")
                        .option("lowerBound", "0")
                        .option("upperBound", PARTITIONS)
                        .option("numPartitions", PARTITIONS)
                        .load()
                        .groupBy("user_id")
                        .agg(functions.collect_list("item_id").alias("items"));
        items.toJavaRDD()
                .mapToPair(row -> new Tuple2<>(new Text(""), item(row)))
                .saveAsHadoopDataset(job(spark));
        double seconds = (System.nanoTime() - began) / 1e9;
        System.out.println("{\"work_seconds\": " + seconds + "}");
        spark.stop();
    }

    private static String url() {
        Map<String, String> env = System.getenv();
        return "jdbc:redshift://" + env.get("REDSHIFT_HOST") + ":" + env.get("REDSHIFT_PORT")
                + "/" + env.get("REDSHIFT_DATABASE") + "?ssl=false";
    }

    private static JobConf job(SparkSession spark) {
        JobConf job = new JobConf(spark.sparkContext().hadoopConfiguration());
        job.set("dynamodb.servicename", "dynamodb");
        job.set("dynamodb.output.tableName", "bench");
        job.set("dynamodb.endpoint", System.getenv("AWS_ENDPOINT_URL_DYNAMODB"));
        job.set("dynamodb.regionid", "us-east-1");
        // Without this setting the connector limits itself to 100 capacity units per second.
        job.set("dynamodb.throughput.write", "1000000");
        job.set("dynamodb.throughput.write.percent", "1.0");
        // Without this setting the connector queries an EMR cluster, which fails anywhere else.
        job.set("dynamodb.yarn.enabled", "false");
        job.set("mapred.output.format.class", DynamoDBOutputFormat.class.getName());
        return job;
    }

    private static DynamoDBItemWritable item(Row row) {
        List<AttributeValue> values =
                row.<String>getList(1).stream()
                        .map(text -> AttributeValue.builder().s(text).build())
                        .collect(Collectors.toList());
        Map<String, AttributeValue> attributes = new HashMap<>();
        attributes.put("user_id", AttributeValue.builder().s(row.getString(0)).build());
        attributes.put("items", AttributeValue.builder().l(values).build());
        DynamoDBItemWritable item = new DynamoDBItemWritable();
        item.setItem(attributes);
        return item;
    }
}
