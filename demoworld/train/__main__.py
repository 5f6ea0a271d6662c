"""`python -m demoworld.train STAGE`: train the small models of the drawn world, one stage at a time.

A stage goes on where it was stopped, as long as its working folder is there, and ends with a folder of weights.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

_CHECKPOINTS = Path(__file__).parent / "checkpoints"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m demoworld.train", description=__doc__)
    parser.add_argument("stage", choices=("see",))
    parser.add_argument("--work", type=Path, default=Path("train-out"), help="where the state of a stage is kept")
    given = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    from demoworld.train import see

    see.train(given.work, _CHECKPOINTS / "see")


if __name__ == "__main__":
    main()
