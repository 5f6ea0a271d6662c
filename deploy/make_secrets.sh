#!/bin/sh
# Makes the secrets that docker-compose.yml reads, random ones, below secrets/. What is there already stays.
set -eu
cd "$(dirname "$0")/.."
mkdir -p secrets
chmod 700 secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
make() { [ -e "secrets/$1" ] || printf '%s' "$2" > "secrets/$1"; }
for name in postgres_password redis_password qdrant_key vllm_key; do make "$name" "$(random)"; done
make webhook_secret "whsec_$(head -c 32 /dev/urandom | base64)"
make catalog_url "postgresql://afterimage:$(cat secrets/postgres_password)@postgres/afterimage"
make jobs_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
chmod 644 secrets/*  # read inside containers by other users; the folder itself is closed
