#!/usr/bin/env bash
# Copy the files of a job to S3: deploy/upload.sh s3://example-bucket/loader redshift-jdbc42-2.3.0.jar
set -euo pipefail
cd "$(dirname "$0")/.."
for file in dist/loader.gluewheels.zip dist/environment.tar.gz deploy/load.py "$2"; do
  aws s3 cp --no-progress "$file" "$1/"
done
