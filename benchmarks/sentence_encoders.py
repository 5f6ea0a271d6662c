"""Benchmark of the packaged sentence encoders: processor time of a passage on one thread, side by side in one run.

The passages are the documentation of this repository, cut to 700 characters.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.report import Figure, make_parser, report
from indexer.encoders.multilingual_e5.encoder import MultilingualE5Encoder
from indexer.encoders.sentence import PACKAGED_MODEL, SentenceTransformerEncoder
from indexer.ports import SentenceEncoder

_DOCS = Path(__file__).parents[1] / "docs"
_PASSAGE_CHARS, _PASSAGES = 700, 48
"""Chosen: about the longest passages of the index, and enough of them for half a minute of work in all."""


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--rounds", type=int, default=3, help="times that each encoder encodes all (default: 3)")
    args = parser.parse_args()
    encoders: dict[str, SentenceEncoder] = {
        "MiniLM": SentenceTransformerEncoder(PACKAGED_MODEL, device="cpu", threads=1),
        "multilingual-e5-small": MultilingualE5Encoder(),
    }
    seconds = measure(encoders, args.rounds)
    figures = [Figure(f"{name}, a passage", value * 1000, "ms") for name, value in seconds.items()]
    ratio = seconds["multilingual-e5-small"] / seconds["MiniLM"]
    figures.append(Figure("multilingual-e5-small, ratio to MiniLM", ratio, "", 1.0, at_least=False))
    return report("sentence encoders", figures, args.check, args.json)


def measure(encoders: dict[str, SentenceEncoder], rounds: int) -> dict[str, float]:
    """Return the median seconds of processor time of a passage, by encoder, after a round that loads the models."""
    text = " ".join(" ".join(path.read_text("utf-8").split()) for path in sorted(_DOCS.glob("*.md")))
    passages = [text[i * _PASSAGE_CHARS : (i + 1) * _PASSAGE_CHARS] for i in range(_PASSAGES)]
    samples: dict[str, list[float]] = {name: [] for name in encoders}
    for encoder in encoders.values():
        encoder.encode(passages[:2])
    for _ in range(rounds):
        for name, encoder in encoders.items():
            started = time.process_time()
            encoder.encode(passages)
            samples[name].append((time.process_time() - started) / len(passages))
    return {name: median(values) for name, values in samples.items()}


if __name__ == "__main__":
    sys.exit(main())
