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
  make load EXPORT=user_items ARGS=--keep
      load again, and keep the changeset that was applied
  make dbt ARGS="--quiet show --output json --limit 8 --inline \"select start_time, execution_time, right(query_text, 56) as query from sys_query_history where query_text like 'SELECT%loader run=%' order by start_time desc\""
      the queries of the partitions and their microseconds, as SYS_QUERY_HISTORY shows them on Amazon Redshift
  make down
      stop the sandbox (make up starts it again; the warehouse keeps its data)
END
