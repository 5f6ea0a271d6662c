"""What the small OneVision of the drawn world knows, kind by kind, on footage of another seed than it was taught with.

Teacher-forced: an answer is right where every word of it is what the model would say after the words before it. Lookups
of many things at once are counted one by one. End to end, by the services, it is measured in `long_video_qa`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from transformers import AutoTokenizer

from benchmarks.report import Figure, arguments, report
from demoworld.train.checks import checks
from demoworld.train.drills import drills
from demoworld.train.footage import Footage, film
from demoworld.train.lessons import Lesson, lessons
from demoworld.train.onevision_model import LAYOUT
from demoworld.train.packing import Packer, Row, side_by_side
from demoworld.train.read import Reader
from demoworld.train.showing import glance, show
from services.generators.onevision.words import PromptTokenizer

_SEED, _REELS, _STILLS, _ASKED, _DRILLED, _CHECKED = 999, 8, 300, 14, 4, 12
_WEIGHTS = Path(__file__).parents[1] / "demoworld" / "weights"


def main() -> int:
    """The command."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--weights", type=Path, default=_WEIGHTS / "onevision", help="the checkpoint")
    parser.add_argument("--frames", type=int, default=12, help="moments in a context")
    parser.add_argument("--slots", type=int, default=8, help="memory slots in a context")
    parser.add_argument("--rows", type=int, default=60, help="contexts")
    given = parser.parse_args()
    torch.manual_seed(_SEED)
    footage = film(_WEIGHTS / "open_clip", _SEED, _REELS, _STILLS)
    words = PromptTokenizer(AutoTokenizer.from_pretrained(given.weights))
    reader = Reader(given.weights, footage, words).eval()
    right: dict[str, list[float]] = defaultdict(list)
    packer = Packer(LAYOUT, words)
    for row, asked in _rows(packer, footage, given.frames, given.slots, given.rows):
        said = reader.said(side_by_side([row]))[0].tolist()
        for kind, hit in _marks(row, asked, said, words):
            right[kind].append(float(hit))
    figures = [Figure(kind, fmean(hits), f"of {len(hits)}") for kind, hits in sorted(right.items())]
    return report(f"reading: {given.frames} moments, {given.slots} slots", figures, given.check, given.json)


def _rows(packer: Packer, footage: Footage, frames: int, slots: int, count: int) -> Iterator[tuple[Row, list[Lesson]]]:
    """Contexts with their questions, with lookups, and single pictures with sentences to check, in turn."""
    rng = np.random.default_rng(_SEED)
    for _ in range(count):
        one = glance(rng, footage)
        some, many = show(rng, footage, frames, slots), show(rng, footage, frames, slots)
        for showing, asked in (
            (one, checks(rng, one, _CHECKED)),
            (some, lessons(rng, some, _ASKED)),
            (many, drills(rng, many, _DRILLED)),
        ):
            yield packer.row(showing, asked), asked


def _marks(row: Row, asked: list[Lesson], said: list[int], words: PromptTokenizer) -> Iterator[tuple[str, bool]]:
    """The kind of each answer, or of each lookup, and whether it is right."""
    (dot,) = words.encode_untrusted(".")
    for number, lesson in enumerate(asked, 1):
        places = [at for at, part in enumerate(row.part) if part == number and row.taught[at]]
        if not lesson.request.startswith("Give"):
            yield lesson.kind, all(said[at] == row.ids[at] for at in places)
            continue
        answers = iter(lesson.answer.rstrip(".").split(". "))
        begun = 0
        for end, at in enumerate(places):
            if row.ids[at] == dot:
                there = "none" if next(answers).endswith(" none") else "there"
                yield (
                    f"lookup of {lesson.kind}, {there}",
                    all(said[one] == row.ids[one] for one in places[begun : end + 1]),
                )
                begun = end + 1


if __name__ == "__main__":
    sys.exit(main())
