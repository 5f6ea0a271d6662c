"""`python -m demoworld.train STAGE`: train the small models of the drawn world, one stage at a time, in this order:

    see     the image tower names what covers each patch                  checkpoints/see
    align   the text tower learns where that lies                         checkpoints/align
    tune    both towers move                                              ../weights/open_clip
    name    the language model names what a moment or a few show          ../weights/onevision
    find    it finds among many moments and slots what is asked for       ../weights/onevision
    cite    it knows which id and which time a picture stands behind      ../weights/onevision
    point   it reads id and time off what a word has found        ../weights/onevision
    tell    it says id and time of what it has found              ../weights/onevision
    long    the same with the memory of hours before it                   ../weights/onevision
    about   it knows which place and which things a picture is about      ../weights/onevision
    say     it says them                                                  ../weights/onevision
    near    the same of few moments, as questions about one thing get     ../weights/onevision
    hold    it holds sentences against pictures, and lists what was found   ../weights/onevision
    mend    it counts, and tells what follows on what                       ../weights/onevision

A stage starts from the folder that the one before it left, and goes on where it was stopped, as long as its working
folder is there. Each is seeded and takes at most 45 minutes on two CPU cores; CUDA is used where there is one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from demoworld.train import alignment_stages, language_stages, vision_stage
from demoworld.train.onevision_model import make_onevision

_HERE = Path(__file__).parent
_VISION_CHECKPOINT, _ALIGNED_CHECKPOINT = _HERE / "checkpoints" / "see", _HERE / "checkpoints" / "align"
_OPEN_CLIP_WEIGHTS = _HERE.parent / "weights" / "open_clip"
_ONEVISION_WEIGHTS, _HEADS_FILE = _HERE.parent / "weights" / "onevision", _HERE / "checkpoints" / "headers.safetensors"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m demoworld.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("see", "align", "tune", *language_stages.STAGES))
    parser.add_argument("--work", type=Path, default=Path("train-out"), help="where the state of a stage is kept")
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    match args.stage:
        case "see":
            vision_stage.train(args.work, _VISION_CHECKPOINT)
        case "align":
            alignment_stages.train(alignment_stages.ALIGN, _VISION_CHECKPOINT, args.work, _ALIGNED_CHECKPOINT)
        case "tune":
            alignment_stages.train(alignment_stages.TUNE, _ALIGNED_CHECKPOINT, args.work, _OPEN_CLIP_WEIGHTS)
        case "name":
            make_onevision(_OPEN_CLIP_WEIGHTS, args.work / "untaught")
            language_stages.train(
                language_stages.STAGES["name"],
                args.work / "untaught",
                _OPEN_CLIP_WEIGHTS,
                args.work,
                _ONEVISION_WEIGHTS,
                _HEADS_FILE,
            )
        case stage:
            language_stages.train(
                language_stages.STAGES[stage],
                _ONEVISION_WEIGHTS,
                _OPEN_CLIP_WEIGHTS,
                args.work,
                _ONEVISION_WEIGHTS,
                _HEADS_FILE,
            )


if __name__ == "__main__":
    main()
