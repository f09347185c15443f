#!/usr/bin/env bash
# The last screen of `make demo`: what was made, and what to try next. Called with the sandbox's
# environment set.
set -euo pipefail
cd "$(dirname "$0")/.."

echo
echo "That ran on this machine alone: dbt-redshift built and tested the view in a PostgreSQL that"
echo "speaks Redshift's protocol, Spark read it with the Redshift JDBC driver, and an emulator"
echo "of DynamoDB holds the items. Three of them:"
echo
echo "> .venv/bin/loader show user_items 12347 13085 14911"
.venv/bin/loader show user_items 12347 13085 14911
cat <<'END'

Try next
  make load EXPORT=user_items ARGS=--keep
      load again, and keep the changeset that was applied
  make dbt ARGS="--quiet show --output json --limit 8 --inline \"select start_time, execution_time, right(query_text, 56) as asked_for from sys_query_history where query_text like 'SELECT%loader run=%' order by start_time desc\""
      the partition queries and their microseconds, as in Amazon Redshift's own history
  make down
      stop the sandbox (make up starts it again, with all it holds)
END
