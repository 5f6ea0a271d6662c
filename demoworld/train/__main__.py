"""`python -m demoworld.train STAGE`: train the small models of the drawn world, one stage at a time, in this order:

    stage                   objective                                                     leaves
    01-token-labels         image tower: classify the concept behind each patch token     checkpoints/01-token-labels
    02-text-alignment       text tower, image tower frozen: sigmoid image-text loss       checkpoints/02-text-alignment
    03-joint-tuning         both towers, the same loss                                    ../weights/open_clip
    04-recognition          language model: name what one moment shows                    ../weights/onevision
    05-evidence-lookup      find what is asked for among many moments and memory slots    ../weights/onevision
    06-id-time-binding      inserted layers: bind id and time to an item's visual tokens  ../weights/onevision
    07-id-time-readout      read id and time off the word that names the item             ../weights/onevision
    08-citations            answer with the id and the time of what was found             ../weights/onevision
    09-long-memory          the same with the memory of hours in the prompt               ../weights/onevision
    10-content-binding      bind place and counts of things to an item's visual tokens    ../weights/onevision
    11-content-answers      answer with place and counts of things                        ../weights/onevision
    12-short-context        answer from few moments                                       ../weights/onevision
    13-verification         verify sentences against pictures; list search results        ../weights/onevision
    14-counting-and-order   count things; answer what follows on what                     ../weights/onevision

A stage starts from the folder that the one before it wrote, and resumes where it was stopped as long as its working
folder exists. Each is seeded and takes at most about 45 minutes on two CPU cores; CUDA is used where available.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from demoworld.train import alignment_stages, language_stages, vision_stage
from demoworld.train.alignment_stages import JOINT_TUNING, TEXT_ALIGNMENT
from demoworld.train.onevision_model import make_onevision
from demoworld.train.stage_config import LANGUAGE_STAGES, RECOGNITION, StageConfig

_HERE = Path(__file__).parent
_CHECKPOINTS, _WEIGHTS = _HERE / "checkpoints", _HERE.parent / "weights"
_VISION_CHECKPOINT, _ALIGNED_CHECKPOINT = _CHECKPOINTS / vision_stage.NAME, _CHECKPOINTS / TEXT_ALIGNMENT.name
_OPEN_CLIP_WEIGHTS, _ONEVISION_WEIGHTS = _WEIGHTS / "open_clip", _WEIGHTS / "onevision"
_HEADS_FILE = _CHECKPOINTS / "mark_heads.safetensors"
_STAGE_NAMES = (vision_stage.NAME, TEXT_ALIGNMENT.name, JOINT_TUNING.name, *LANGUAGE_STAGES)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demoworld.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=_STAGE_NAMES, metavar="STAGE", help="one of the stages above")
    parser.add_argument("--work", type=Path, default=Path("train-out"), help="folder of a stage's resumable state")
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    _run_stage(args.stage, args.work)


def _run_stage(name: str, work: Path) -> None:
    if name == vision_stage.NAME:
        vision_stage.train(work, _VISION_CHECKPOINT)
    elif name == TEXT_ALIGNMENT.name:
        alignment_stages.train(TEXT_ALIGNMENT, _VISION_CHECKPOINT, work, _ALIGNED_CHECKPOINT)
    elif name == JOINT_TUNING.name:
        alignment_stages.train(JOINT_TUNING, _ALIGNED_CHECKPOINT, work, _OPEN_CLIP_WEIGHTS)
    else:
        _run_language_stage(LANGUAGE_STAGES[name], work)


def _run_language_stage(stage: StageConfig, work: Path) -> None:
    start = _ONEVISION_WEIGHTS
    if stage is RECOGNITION:
        start = work / "untrained"
        make_onevision(_OPEN_CLIP_WEIGHTS, start)
    language_stages.train(stage, start, _OPEN_CLIP_WEIGHTS, work, _ONEVISION_WEIGHTS, _HEADS_FILE)


if __name__ == "__main__":
    main()
