"""How well sentences are held against what they cite: planted false ones shall be caught, true ones let through.

Sentences about every event of videos of the drawn world, on held-out seeds, in the forms in which answers speak; false
ones name another thing, another time, another number or another place. `--calibrate` chooses the thresholds on other
seeds than those of the figures and stores them with the demo profile.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.long_video_qa import settings_of
from benchmarks.report import Figure, arguments, print_table, report
from demoworld.train.saying import a, capital, numbered, placed
from demoworld.world.claims import NUMBERS
from demoworld.world.concepts import concepts
from demoworld.world.places import PLACES
from demoworld.world.rolling import Reel, roll
from demoworld.world.truth import Happened, VideoTruth
from indexer.types import Origin, Segment
from services.catalog import Asset
from services.container import Container
from services.generators.wording import format_timestamp
from services.grounding import Grounding, VerdictThresholds
from services.types import DraftSentence, Evidence, Quote, RetrievedSegment, Verdict

_SEEDS, _OTHER_SEEDS = (41_000, 41_001), (42_000, 42_001)
_SECONDS, _LEAST_S = 600.0, 3.0
_PROFILE = Path(__file__).parents[1] / "services" / "profiles" / "demo.toml"
_FLAGGED = 0.045
"""The share of true sentences that calibration lets the thresholds flag."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A sentence with what it cites; `wrong` is what is wrong about it, None where it is true."""

    draft: DraftSentence
    evidence: tuple[Evidence, ...]
    wrong: str | None


def planted(container: Container, asset: Asset, truth: VideoTruth, rng: np.random.Generator) -> Iterator[Planted]:
    """For each event that can be told some true sentences and as many false ones."""
    lasting = [event for event in truth.events if event.end_s - event.start_s >= _LEAST_S]
    for event in lasting:
        seen = [one.concept for one in truth.events if one.start_s < event.end_s and one.end_s > event.start_s]
        shown = (_shown(container, asset, event, 1),)
        other = str(rng.choice([known.name for known in concepts() if known.name not in seen]))
        number = int(rng.choice([count for count in (1, 2, 3) if count != event.count]))
        place = str(rng.choice([one.name for one in PLACES if one.name != event.place]))
        away_s = float(rng.choice([event.end_s + 30, event.end_s + 400, max(0.0, event.start_s - 60)]))
        for text, wrong in (
            *((text, None) for text in _said(event.concept, event.count, event.place, event.start_s)),
            *((text, "thing") for text in _said(other, event.count, event.place, event.start_s)),
            (_at(event.concept, away_s), "time"),
            (numbered(event.concept, number), "number"),
            (placed(event.concept, event.count, place), "place"),
        ):
            yield Planted(DraftSentence(text, (Quote("F1"),), 0.9), shown, wrong)
    yield from _often(container, asset, truth, lasting)


def _often(container: Container, asset: Asset, truth: VideoTruth, lasting: Sequence[Happened]) -> Iterator[Planted]:
    """How often something is seen, for what is seen more than once."""
    for name in sorted({event.concept for event in lasting}):
        own = [event for event in truth.events if event.concept == name]
        if 1 < len(own) < len(NUMBERS) - 1 and all(event in lasting for event in own):
            shown = tuple(_shown(container, asset, event, place) for place, event in enumerate(own, 1))
            quotes = tuple(Quote(one.id) for one in shown)
            for count, wrong in ((len(own), None), (len(own) + 1, "number")):
                text = f"{capital(a(name))} appears {NUMBERS[count]} times."
                yield Planted(DraftSentence(text, quotes, 0.9), shown, wrong)


def _said(name: str, count: int, place: str, start_s: float) -> tuple[str, ...]:
    return (
        _at(name, start_s),
        numbered(name, count),
        placed(name, count, place),
        f"Yes, there is {a(name)}.",
    )


def _at(name: str, start_s: float) -> str:
    return f"{capital(a(name))} appears at {format_timestamp(start_s)}."


def _shown(container: Container, asset: Asset, event: Happened, number: int) -> Evidence:
    frame = container.video_memory.key_frame_at(asset, (event.start_s + event.end_s) / 2)
    segment = Segment(-1, Origin.PICTURE, event.start_s, event.end_s, picture=frame.picture)
    return Evidence(f"F{number}", RetrievedSegment(asset, segment, 0.9, {}, 0.0))


def all_planted(container: Container, work: Path, seeds: Sequence[int]) -> list[Planted]:
    """The sentences about videos of so many seeds, which are drawn and indexed."""
    found: list[Planted] = []
    for seed in seeds:
        path = work / f"grounding_{seed}.mp4"
        truth = roll(Reel(seed=seed, seconds=_SECONDS), path)
        list(container.indexing.index_paths([path], "videos"))
        (asset,) = [asset for asset in container.catalog.assets() if asset.name == path.name]
        found += planted(container, asset, truth, np.random.default_rng(seed))
    return found


def scores(container: Container, sentences: Sequence[Planted]) -> list[float]:
    """The verifier's score for each sentence."""
    grounding = Grounding(VerdictThresholds(0.5, 0.5), container.onevision)
    return [grounding.verify(one.draft, one.evidence).score for one in sentences]


def calibrate(sentences: Sequence[Planted], found: Sequence[float]) -> VerdictThresholds:
    """Refuted below what nearly all true sentences reach, supported above what nearly all false ones do."""
    true = sorted(score for one, score in zip(sentences, found, strict=True) if one.wrong is None)
    false = sorted(score for one, score in zip(sentences, found, strict=True) if one.wrong is not None)
    refuted = round(float(np.quantile(true, _FLAGGED)), 3)
    supported = round(float(np.quantile(false, 1 - _FLAGGED)), 3)
    return VerdictThresholds(max(refuted, supported), refuted)


def store(thresholds: VerdictThresholds, profile: Path = _PROFILE) -> None:
    """Write the thresholds into a profile's file, which has a line for each. Errors: ValueError where it has not."""
    text = profile.read_text("utf-8")
    for name in ("supported", "refuted"):
        line = f"{name}_threshold = "
        text, changed = re.subn(rf"(?m)^{line}.*$", f"{line}{getattr(thresholds, name)}", text)
        if changed != 1:
            raise ValueError(f"{profile}: has {changed} lines `{line}`")
    profile.write_text(text, "utf-8")


def main() -> int:
    """The command."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--calibrate", action="store_true", help="choose thresholds and store them with the profile")
    given = parser.parse_args()
    settings = settings_of({})
    with tempfile.TemporaryDirectory() as made:
        container = Container(settings.model_copy(update={"home": Path(made) / "home"}))
        thresholds = VerdictThresholds(settings.grounding.supported_threshold, settings.grounding.refuted_threshold)
        if given.calibrate:
            others = all_planted(container, Path(made), _OTHER_SEEDS)
            thresholds = calibrate(others, scores(container, others))
            store(thresholds)
        sentences = all_planted(container, Path(made), _SEEDS)
        grounding = Grounding(thresholds, container.onevision)
        verdicts = [grounding.verify(one.draft, one.evidence).verdict for one in sentences]
        container.close()
    pairs = list(zip(sentences, verdicts, strict=True))
    print_table("verdicts", ("wrong", "sentences", *Verdict), [_row(wrong, pairs) for wrong in _WRONG])
    return report("grounding", _figures(pairs, thresholds), given.check, given.json)


_WRONG = (None, "thing", "time", "number", "place")
_Pairs = Sequence[tuple[Planted, Verdict]]


def _row(wrong: str | None, pairs: _Pairs) -> list[str]:
    own = [verdict for one, verdict in pairs if one.wrong == wrong]
    return [wrong or "nothing", str(len(own)), *(str(own.count(verdict)) for verdict in Verdict)]


def _figures(pairs: _Pairs, thresholds: VerdictThresholds) -> list[Figure]:
    false = [verdict for one, verdict in pairs if one.wrong is not None]
    true = [verdict for one, verdict in pairs if one.wrong is None]
    return [
        Figure("false sentences caught", false.count(Verdict.UNSUPPORTED) / len(false), "", 0.9),
        Figure("true sentences flagged", true.count(Verdict.UNSUPPORTED) / len(true), "", 0.05, at_least=False),
        Figure("false sentences that pass as supported", false.count(Verdict.SUPPORTED) / len(false)),
        Figure("true sentences that are supported", true.count(Verdict.SUPPORTED) / len(true)),
        Figure("supported from", thresholds.supported),
        Figure("unsupported below", thresholds.refuted),
    ]


if __name__ == "__main__":
    sys.exit(main())
