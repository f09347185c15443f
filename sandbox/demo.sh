#!/usr/bin/env bash
# Print the result of `make demo` and what to try next. Needs the environment of the sandbox.
set -euo pipefail
cd "$(dirname "$0")/.."

echo
echo "Everything ran on this machine: dbt-redshift built and tested the view in PostgreSQL behind"
echo "Redshift's wire protocol, Spark read it with the Redshift JDBC driver, and a DynamoDB emulator"
echo "now has the items. Three of them:"
echo
echo "> .venv/bin/loader show user_items 12347 13085 14911"
.venv/bin/loader show user_items 12347 13085 14911
cat <<'END'

Try next
  .venv/bin/python -m sandbox sql "update retail.transactions set stock_code = 'NEW' where line_number = (select min(line_number) from retail.transactions where customer_id = '12347')"
  make load EXPORT=user_items
      change a row and load again: one item is written
  .venv/bin/loader status user_items
      the last runs, and what the loader knows of the table
  make dbt ARGS="--quiet show --output json --limit 8 --inline \"select start_time, execution_time, right(query_text, 56) as query from sys_query_history where query_text like 'SELECT%loader run=%' order by start_time desc\""
      the queries of the partitions and their microseconds, as SYS_QUERY_HISTORY shows them on Amazon Redshift
  make down
      stop the sandbox (make up starts it again; the warehouse keeps its data)
END
