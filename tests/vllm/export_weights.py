"""Export the demo OneVision weights as vLLM reads them: `python -m tests.vllm.export_weights FOLDER`.

vLLM calls the parts of a CLIP tower by the names that transformers gave them once, one level deeper.
"""

from __future__ import annotations

import shutil
import sys
from importlib.resources import files
from pathlib import Path

from safetensors.torch import load_file, save_file

_TOWER, _TOWER_IN_VLLM = "vision_tower.", "vision_tower.vision_model."
_WEIGHTS_FILE = "model.safetensors"


def export_weights(folder: Path) -> None:
    """Write the checkpoint into a folder, which is made."""
    source = Path(str(files("demoworld"))) / "weights" / "onevision"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    tensors = load_file(source / _WEIGHTS_FILE)
    renamed = {name.replace(_TOWER, _TOWER_IN_VLLM, 1): tensor for name, tensor in tensors.items()}
    save_file(renamed, folder / _WEIGHTS_FILE, metadata={"format": "pt"})


if __name__ == "__main__":
    export_weights(Path(sys.argv[1]))
