#!/usr/bin/env bash
# Run the loader on the primary node of an EMR cluster, which returns its exit code.
set -euo pipefail
# Files of an earlier version would stay in a folder that exists.
rm -rf environment
mkdir environment
aws s3 cp --no-progress s3://example-bucket/loader/environment.tar.gz .
tar -xzf environment.tar.gz -C environment
export AWS_REGION=eu-west-1
# A property, because spark-env.sh of EMR sets the variable PYSPARK_PYTHON.
spark-submit --deploy-mode client \
  --conf spark.pyspark.python=./environment/bin/python \
  --archives environment.tar.gz#environment \
  --jars s3://example-bucket/loader/redshift-jdbc42-2.3.0.jar \
  s3://example-bucket/loader/load.py \
  load --bundle s3://example-bucket/bundles/user_items.json --export user_items \
  --storage s3://example-bucket/loader
