#!/usr/bin/env bash
# The adapter and the questions of `make demo` against a real vLLM on this machine's CPU: tests/vllm/run.sh VLLM_ENVIRONMENT PYTHON
# What it makes is below $TMPDIR and goes when it ends; nothing is fetched. Three minutes, 3.4 GB of memory.
set -euo pipefail
environment=$1 python=$2
work=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$work"
}
trap finish EXIT

"$python" -m tests.vllm.export_weights "$work/weights"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# Loopback alone; 16 videos, so that a limit is met; float32, so that scores can be compared with those in process.
VLLM_CPU_KVCACHE_SPACE=1 VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1 "$environment/bin/vllm" serve "$work/weights" \
  --served-model-name demo --host 127.0.0.1 --port "$port" --enforce-eager --dtype float32 --max-num-seqs 4 \
  --chat-template tests/vllm/demo_layout.jinja --limit-mm-per-prompt '{"image":16,"video":16}' \
  --media-io-kwargs '{"video":{"num_frames":-1}}' --enable-mm-embeds --allowed-media-domains none.invalid \
  >"$work/vllm.log" 2>&1 &
server=$!
echo "starting vLLM …"
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
  kill -0 "$server" 2>/dev/null || { tail -n 40 "$work/vllm.log"; exit 1; }
  sleep 1
done

AFTERIMAGE_TEST_VLLM_URL="http://127.0.0.1:$port/v1" "$python" -m pytest --quiet -rP --show-capture=stdout tests/vllm
