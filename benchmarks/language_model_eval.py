"""Evaluation of the drawn world's small OneVision by kind of question, on footage of a seed outside of training.

Teacher-forced: an answer is right where every token of it is the most likely one after the tokens before it. Lookups of
many things at once are counted one by one. `long_video_qa` measures the model end to end, through the services.
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

from benchmarks.report import Figure, make_parser, report
from demoworld.train.example import Example
from demoworld.train.footage import Footage, render_footage
from demoworld.train.language_model import LanguageStageModel
from demoworld.train.lookup_examples import generate_lookups
from demoworld.train.onevision_model import PROMPT_TEMPLATE
from demoworld.train.qa_examples import generate_examples
from demoworld.train.sequence_packing import PackedRow, Packer, collate
from demoworld.train.synthetic_context import sample_context, sample_single_moment
from demoworld.train.verification_examples import generate_verifications
from services.generators.onevision.tokenizer import PromptTokenizer

_SEED, _VIDEO_COUNT, _PHOTO_COUNT, _QUESTIONS_PER_CONTEXT, _LOOKUPS_PER_CONTEXT, _STATEMENTS_PER_CONTEXT = (
    999,
    8,
    300,
    14,
    4,
    12,
)
_WEIGHTS_FOLDER = Path(__file__).parents[1] / "demoworld" / "weights"


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--weights", type=Path, default=_WEIGHTS_FOLDER / "onevision", help="the checkpoint")
    parser.add_argument("--frames", type=int, default=12, help="moments in a context")
    parser.add_argument("--slots", type=int, default=8, help="memory slots in a context")
    parser.add_argument("--rows", type=int, default=60, help="contexts")
    args = parser.parse_args()
    torch.manual_seed(_SEED)
    footage = render_footage(_WEIGHTS_FOLDER / "open_clip", _SEED, _VIDEO_COUNT, _PHOTO_COUNT)
    words = PromptTokenizer(AutoTokenizer.from_pretrained(args.weights))
    model = LanguageStageModel(args.weights, footage, words).eval()
    right: dict[str, list[float]] = defaultdict(list)
    packer = Packer(PROMPT_TEMPLATE, words)
    for row, examples in _pack_contexts(packer, footage, args.frames, args.slots, args.rows):
        predicted_ids = model.predict_tokens(collate([row]))[0].tolist()
        for kind, hit in _score_answers(row, examples, predicted_ids, words):
            right[kind].append(float(hit))
    figures = [Figure(kind, fmean(hits), f"of {len(hits)}") for kind, hits in sorted(right.items())]
    return report(f"reading: {args.frames} moments, {args.slots} slots", figures, args.check, args.json)


def _pack_contexts(
    packer: Packer, footage: Footage, frames: int, slots: int, count: int
) -> Iterator[tuple[PackedRow, list[Example]]]:
    """Yield rows of questions, of lookups, and of sentences to verify, in turn, with their examples."""
    rng = np.random.default_rng(_SEED)
    for _ in range(count):
        moment = sample_single_moment(rng, footage)
        question_context, lookup_context = (
            sample_context(rng, footage, frames, slots),
            sample_context(rng, footage, frames, slots),
        )
        for context, examples in (
            (moment, generate_verifications(rng, moment, _STATEMENTS_PER_CONTEXT)),
            (question_context, generate_examples(rng, question_context, _QUESTIONS_PER_CONTEXT)),
            (lookup_context, generate_lookups(rng, lookup_context, _LOOKUPS_PER_CONTEXT)),
        ):
            yield packer.pack(context, examples), examples


def _score_answers(
    row: PackedRow, examples: list[Example], predicted_ids: list[int], words: PromptTokenizer
) -> Iterator[tuple[str, bool]]:
    """Yield the kind of each answer or lookup, and whether it is right."""
    (dot,) = words.encode_untrusted(".")
    for number, example in enumerate(examples, 1):
        positions = [
            position for position, part in enumerate(row.part_ids) if part == number and row.is_answer[position]
        ]
        if not example.request.startswith("Give"):
            yield example.kind, all(predicted_ids[position] == row.token_ids[position] for position in positions)
            continue
        answers = iter(example.answer.rstrip(".").split(". "))
        start = 0
        for end, position in enumerate(positions):
            if row.token_ids[position] == dot:
                presence = "none" if next(answers).endswith(" none") else "there"
                yield (
                    f"lookup of {example.kind}, {presence}",
                    all(predicted_ids[position] == row.token_ids[position] for position in positions[start : end + 1]),
                )
                start = end + 1


if __name__ == "__main__":
    sys.exit(main())
