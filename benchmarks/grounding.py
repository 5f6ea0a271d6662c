"""Benchmark of sentence verification: planted false sentences shall be refuted, true ones let through.

Sentences about every event of videos of the drawn world, on held-out seeds, in the forms of answers; false ones name
another thing, time, number or place. `--calibrate` chooses the thresholds on other seeds than those of the figures and
stores them in the demo profile.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.long_video_qa import load_evaluation_settings
from benchmarks.report import Figure, make_parser, print_table, report
from demoworld.train.answer_templates import capitalize, format_count_noun, format_count_sentence, format_place_sentence
from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES
from demoworld.world.truth import EventTruth, VideoTruth
from demoworld.world.video_rendering import VideoSpec, render_video
from indexer.types import Origin, Segment
from services.answering.grounding import VerdictThresholds
from services.answering.rules.claim_verification import RuleClaimVerifier
from services.answering.types import Verdict
from services.catalog.types import Asset
from services.container import Container
from services.generators.timestamps import format_timestamp
from services.generators.types import DraftSentence, Evidence, Quote
from services.search.types import RetrievedSegment

_TEST_SEEDS, _CALIBRATION_SEEDS = (41_000, 41_001), (42_000, 42_001)
_VIDEO_S, _MIN_EVENT_S = 600.0, 3.0
_PROFILE_FILE = Path(__file__).parents[1] / "services" / "profiles" / "demo.toml"
_MAX_FLAGGED_SHARE = 0.045
"""Share of true sentences that calibrated thresholds may refute."""


@dataclass(frozen=True, slots=True)
class PlantedSentence:
    """A sentence with its cited evidence; `error_kind` is what is wrong about it, None where it is true."""

    draft: DraftSentence
    evidence: tuple[Evidence, ...]
    error_kind: str | None


def plant_sentences(
    container: Container, asset: Asset, truth: VideoTruth, rng: np.random.Generator
) -> Iterator[PlantedSentence]:
    """Yield some true sentences and as many false ones for each event that lasts long enough."""
    lasting = [event for event in truth.events if event.end_s - event.start_s >= _MIN_EVENT_S]
    for event in lasting:
        visible_names = [
            other.concept for other in truth.events if other.start_s < event.end_s and other.end_s > event.start_s
        ]
        evidence = (_event_evidence(container, asset, event, 1),)
        absent_name = str(rng.choice([known.name for known in load_concepts() if known.name not in visible_names]))
        number = int(rng.choice([count for count in (1, 2, 3) if count != event.count]))
        place = str(rng.choice([known.name for known in PLACES if known.name != event.place]))
        away_s = float(rng.choice([event.end_s + 30, event.end_s + 400, max(0.0, event.start_s - 60)]))
        for text, error_kind in (
            *((text, None) for text in _phrase_sentences(event.concept, event.count, event.place, event.start_s)),
            *((text, "thing") for text in _phrase_sentences(absent_name, event.count, event.place, event.start_s)),
            (_phrase_time(event.concept, away_s), "time"),
            (format_count_sentence(event.concept, number), "number"),
            (format_place_sentence(event.concept, event.count, place), "place"),
        ):
            yield PlantedSentence(DraftSentence(text, (Quote("F1"),), 0.9), evidence, error_kind)
    yield from _plant_counts(container, asset, truth, lasting)


def _plant_counts(
    container: Container, asset: Asset, truth: VideoTruth, lasting: Sequence[EventTruth]
) -> Iterator[PlantedSentence]:
    """Yield sentences on how often something appears, for what appears more than once."""
    for name in sorted({event.concept for event in lasting}):
        occurrences = [event for event in truth.events if event.concept == name]
        if 1 < len(occurrences) < len(NUMBER_WORDS) - 1 and all(event in lasting for event in occurrences):
            evidence = tuple(
                _event_evidence(container, asset, event, place) for place, event in enumerate(occurrences, 1)
            )
            quotes = tuple(Quote(item.id) for item in evidence)
            for count, error_kind in ((len(occurrences), None), (len(occurrences) + 1, "number")):
                text = f"{capitalize(format_count_noun(name))} appears {NUMBER_WORDS[count]} times."
                yield PlantedSentence(DraftSentence(text, quotes, 0.9), evidence, error_kind)


def _phrase_sentences(name: str, count: int, place: str, start_s: float) -> tuple[str, ...]:
    return (
        _phrase_time(name, start_s),
        format_count_sentence(name, count),
        format_place_sentence(name, count, place),
        f"Yes, there is {format_count_noun(name)}.",
    )


def _phrase_time(name: str, start_s: float) -> str:
    return f"{capitalize(format_count_noun(name))} appears at {format_timestamp(start_s)}."


def _event_evidence(container: Container, asset: Asset, event: EventTruth, number: int) -> Evidence:
    frame = container.video_memory.key_frame_at(asset, (event.start_s + event.end_s) / 2)
    segment = Segment(-1, Origin.PICTURE, event.start_s, event.end_s, picture=frame.picture)
    return Evidence(f"F{number}", RetrievedSegment(asset, segment, 0.9, {}, 0.0))


def plant_for_seeds(container: Container, work: Path, seeds: Sequence[int]) -> list[PlantedSentence]:
    """Render and index a video for each seed; returns the sentences about them."""
    sentences: list[PlantedSentence] = []
    for seed in seeds:
        path = work / f"grounding_{seed}.mp4"
        truth = render_video(VideoSpec(seed=seed, seconds=_VIDEO_S), path)
        list(container.indexing.index_paths([path], "videos"))
        (asset,) = [asset for asset in container.catalog.assets() if asset.name == path.name]
        sentences += plant_sentences(container, asset, truth, np.random.default_rng(seed))
    return sentences


def score_sentences(container: Container, sentences: Sequence[PlantedSentence]) -> list[float]:
    """Return the verifier's score for each sentence."""
    grounding = RuleClaimVerifier(VerdictThresholds(0.5, 0.5), container.generation.onevision)
    return [grounding.verify(planted.draft, planted.evidence).score for planted in sentences]


def calibrate(sentences: Sequence[PlantedSentence], verifier_scores: Sequence[float]) -> VerdictThresholds:
    """Choose thresholds: refuted below nearly all true sentences, supported above nearly all false ones."""
    true = sorted(
        score for planted, score in zip(sentences, verifier_scores, strict=True) if planted.error_kind is None
    )
    false = sorted(
        score for planted, score in zip(sentences, verifier_scores, strict=True) if planted.error_kind is not None
    )
    refuted = round(float(np.quantile(true, _MAX_FLAGGED_SHARE)), 3)
    supported = round(float(np.quantile(false, 1 - _MAX_FLAGGED_SHARE)), 3)
    return VerdictThresholds(max(refuted, supported), refuted)


def store_thresholds(thresholds: VerdictThresholds, profile: Path = _PROFILE_FILE) -> None:
    """Write the thresholds into a profile's file. Errors: ValueError where it has no line for one."""
    text = profile.read_text("utf-8")
    for name in ("supported", "refuted"):
        line = f"{name}_threshold = "
        text, changed = re.subn(rf"(?m)^{line}.*$", f"{line}{getattr(thresholds, name)}", text)
        if changed != 1:
            raise ValueError(f"{profile}: has {changed} lines `{line}`")
    profile.write_text(text, "utf-8")


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--calibrate", action="store_true", help="choose thresholds and store them in the demo profile")
    args = parser.parse_args()
    settings = load_evaluation_settings({})
    with tempfile.TemporaryDirectory() as temp_folder:
        container = Container(settings.model_copy(update={"home": Path(temp_folder) / "home"}))
        thresholds = VerdictThresholds(settings.grounding.supported_threshold, settings.grounding.refuted_threshold)
        if args.calibrate:
            calibration_sentences = plant_for_seeds(container, Path(temp_folder), _CALIBRATION_SEEDS)
            thresholds = calibrate(calibration_sentences, score_sentences(container, calibration_sentences))
            store_thresholds(thresholds)
        sentences = plant_for_seeds(container, Path(temp_folder), _TEST_SEEDS)
        grounding = RuleClaimVerifier(thresholds, container.generation.onevision)
        verdicts = [grounding.verify(planted.draft, planted.evidence).verdict for planted in sentences]
        container.close()
    pairs = list(zip(sentences, verdicts, strict=True))
    print_table(
        "verdicts", ("wrong", "sentences", *Verdict), [_table_row(error_kind, pairs) for error_kind in _ERROR_KINDS]
    )
    return report("grounding", _make_figures(pairs, thresholds), args.check, args.json)


_ERROR_KINDS = (None, "thing", "time", "number", "place")
_JudgedSentences = Sequence[tuple[PlantedSentence, Verdict]]


def _table_row(error_kind: str | None, pairs: _JudgedSentences) -> list[str]:
    verdicts = [verdict for planted, verdict in pairs if planted.error_kind == error_kind]
    return [error_kind or "nothing", str(len(verdicts)), *(str(verdicts.count(verdict)) for verdict in Verdict)]


def _make_figures(pairs: _JudgedSentences, thresholds: VerdictThresholds) -> list[Figure]:
    false = [verdict for planted, verdict in pairs if planted.error_kind is not None]
    true = [verdict for planted, verdict in pairs if planted.error_kind is None]
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
