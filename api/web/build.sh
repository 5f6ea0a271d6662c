#!/usr/bin/env bash
# Build the page into api/web/dist, with types from this version's API: api/web/build.sh FOLDER_OF_PYTHON_AND_NODE
set -euo pipefail
export PATH="$1:$PATH"
cd "$(dirname "$0")"
PYTHONPATH=../.. python write_openapi.py openapi.json
npm ci --loglevel=error
npm run --silent types
npm run --silent build
