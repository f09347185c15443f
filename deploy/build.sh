#!/usr/bin/env bash
# Build what a cluster installs, from the wheel of `make package`, into dist/:
#
#   loader.gluewheels.zip  the loader and its packages: for Glue
#   environment.tar.gz     the same with Python: for EMR, EMR Serverless, any Spark
#
#     deploy/build.sh [VERSION OF PYTHON] [FOLDER]
#
# Run it on Linux, on the processor of the cluster. The versions and hashes are those of
# constraints.txt. Spark is in neither of them: the cluster has it. uv fetches a Python that works in
# any folder; PYTHON_HOME names another such Python.
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
# https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/using-python.html
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-3.11} dist=$(realpath -m "${2:-dist}")
shopt -s nullglob
loader=(dist/redshift_to_dynamodb-*.whl)
if ((${#loader[@]} != 1)); then
  echo "dist must have one wheel of the loader, got ${#loader[@]}: run make package" >&2
  exit 1
fi
eval "$(.venv/bin/python pip_settings.py)"
uv=$PWD/.venv/bin/uv
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
environment=$folder/environment wheels=$folder/wheels

if [ -z "${PYTHON_HOME:-}" ]; then
  "$uv" python install --quiet --no-bin --install-dir "$folder/python" "$version"
  PYTHON_HOME=$(dirname "$(dirname "$(realpath "$folder"/python/*/bin/python3)")")
fi
cp -r "$PYTHON_HOME" "$environment"
rm -f "$environment"/lib/python3.*/EXTERNALLY-MANAGED
ln -sf python3 "$environment/bin/python"
"$uv" venv --quiet --seed --python "$environment/bin/python" "$folder/pip"

# Spark 3.5 imports numpy and pandas for Arrow. Amazon Linux 2023 has glibc 2.34.
mkdir "$wheels"
cat >"$folder/requirements.txt" <<END
redshift-to-dynamodb[otel] @ file://$PWD/${loader[0]} --hash=sha256:$(sha256sum "${loader[0]}" | cut -d' ' -f1)
numpy
pandas
END
machine=$(uname -m)
"$folder/pip/bin/pip" download --quiet --require-hashes --only-binary :all: --dest "$wheels" \
  --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" \
  --platform "manylinux2014_$machine" -c constraints.txt -r "$folder/requirements.txt"
for wheel in "$wheels"/*.whl; do
  IFS=- read -r name number _ <<<"$(basename "$wheel")"
  echo "$name==$number"
done >"$wheels/requirements.txt"
mkdir -p "$dist"
rm -f "$dist/loader.gluewheels.zip"
.venv/bin/python -m zipfile -c "$dist/loader.gluewheels.zip" "$wheels"

"$folder/pip/bin/pip" --python "$environment/bin/python" install --quiet --root-user-action ignore --no-index \
  --find-links "$wheels" --no-warn-script-location -r "$wheels/requirements.txt"
tar -C "$environment" -czf "$dist/environment.tar.gz" .
