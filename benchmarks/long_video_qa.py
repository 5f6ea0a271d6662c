"""Questions about long videos of the drawn world, on held-out seeds, answered end to end by the services.

Videos of each length are drawn, indexed from their pixels and asked about everything that the drawn world can be asked;
each answer is held against the truth. For one length every way to show a video to the model is compared at the same
budget of tokens: evenly spread frames, memories, what search finds, and both. `shown` is what perfect eyes would have
answered from the same evidence; "perfect retrieval" shows the model the truth's own moments among others: so it can be
told whether search or the model loses an answer. `--write` puts the table into the documentation. The archive is kept
in `--work`, so that a second run only asks.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.marking import Mark, marked, told
from benchmarks.report import Figure, arguments, machine, print_table, report
from benchmarks.viewing import VIEWS, could_be_answered, perfect_retrieval
from demoworld.world.concepts import concepts
from demoworld.world.questions import Kind, Question, questions
from demoworld.world.rolling import Reel, roll
from demoworld.world.truth import VideoTruth, read_video_truth
from indexer.types import SegmentFilter
from services.answering import Answering
from services.catalog import Asset
from services.container import Container
from services.settings import Settings, load_settings

DOCS = Path(__file__).parents[1] / "docs" / "long_video_qa.md"
_SEED, _DEFAULT, _PERFECT = 31_000, "bank + retrieval", "perfect retrieval"
_VIDEOS = {10: 3, 60: 2, 240: 1}
_LONG_MINUTES, _ABSENT, _ONCE = 60, 0.2, 0.4
"""The shares of all concepts that never appear in a video of an hour or more, and that appear once at most: else all of
them would, several times, and neither be asked about as absent nor as one moment."""
_ANSWERING = {
    "AFTERIMAGE_GENERATOR__KIND": "onevision",
    "AFTERIMAGE_GENERATOR__MODEL": "package:demoworld/weights/onevision",
    "AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS": "2048",
    "AFTERIMAGE_GENERATOR__MAX_OUTPUT_TOKENS": "160",
}
_COVERAGE = (Kind.HOW_OFTEN, Kind.BETWEEN, Kind.BEFORE, Kind.CHANGED)
_TARGETS = {
    Kind.IS_THERE: 0.95,
    Kind.WHAT: 0.9,
    Kind.PLACE: 0.9,
    Kind.HOW_MANY: 0.85,
    Kind.FIRST: 0.85,
    Kind.WHEN: 0.85,
    Kind.ABSENT: 0.95,
}


class Exam:
    """The videos of one length, indexed, and the questions on each."""

    def __init__(self, work: Path, minutes: int, count: int, settings: Settings, seed: int) -> None:
        self.minutes, self._work, self._count, self._seed = minutes, work / f"{minutes}", count, seed
        self._work.mkdir(parents=True, exist_ok=True)
        self.container = Container(settings.model_copy(update={"home": self._work / "home"}))
        self._videos = [self._video(number) for number in range(_VIDEOS.get(minutes, 1))]

    def sit(self, view: str, one_in: int = 1) -> Iterator[Mark]:
        """Every question asked in one view, or one in so many of each kind."""
        for truth, asset in self._videos:
            asked = self._questions(truth)[::one_in]
            if view == _PERFECT:
                answering = perfect_retrieval(self.container, asset, truth, asked)
            else:
                answering = VIEWS[view](self.container, asset)
            where = SegmentFilter(assets=frozenset([asset.asset_id]))
            for question in asked:
                yield self._asked(answering, question, where)

    def summaries(self) -> Iterator[tuple[float, float]]:
        """Each video summarized: see `marking.told`."""
        for truth, asset in self._videos:
            yield told(truth, self.container.summarizing.summarize(asset))

    def _asked(self, answering: Answering, question: Question, where: SegmentFilter) -> Mark:
        begun = time.perf_counter()
        evidence = answering.gather_evidence(question.text, where)
        answer = answering.answer_from(question.text, evidence)
        seconds = time.perf_counter() - begun
        tokens = self.container.onevision.count_prompt_tokens(question.text, evidence) if evidence else 0
        shown = could_be_answered(question, evidence)
        return replace(marked(question, answer), shown=shown, tokens=tokens, seconds=seconds)

    def _questions(self, truth: VideoTruth) -> list[Question]:
        """As many of each kind as it takes, since some kinds are rare, to come to the number asked for."""
        wanted = -(-self._count // len(self._videos))
        tries = (questions(truth, truth.seed, each) for each in range(wanted // len(Kind), wanted + 1))
        return next((asked for asked in tries if len(asked) >= wanted), questions(truth, truth.seed, wanted))

    def _video(self, number: int) -> tuple[VideoTruth, Asset]:
        path = self._work / f"video_{number}.mp4"
        if not path.with_suffix(".truth.json").exists():
            roll(_reel(self._seed + 100 * self.minutes + number, self.minutes), path)
        truth = read_video_truth(path.with_suffix(".truth.json"))
        known = [asset for asset in self.container.catalog.assets() if asset.name == path.name]
        if not known:
            list(self.container.indexing.index_paths([path], "videos"))
            known = [asset for asset in self.container.catalog.assets() if asset.name == path.name]
        return truth, known[0]


def _reel(seed: int, minutes: int) -> Reel:
    if minutes < _LONG_MINUTES:
        return Reel(seed=seed, seconds=60.0 * minutes)
    names = [known.name for known in concepts()]
    order = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    absent, once = round(_ABSENT * len(names)), round(_ONCE * len(names))
    return Reel(
        seed=seed, seconds=60.0 * minutes, without=tuple(order[:absent]), once=tuple(order[absent : absent + once])
    )


def settings_of(environment: dict[str, str]) -> Settings:
    """The demo profile with the drawn world's OneVision answering, and what the environment says."""
    os.environ.update(_ANSWERING | os.environ | environment)
    return load_settings("demo")


def by_kind(marks: Sequence[Mark]) -> dict[Kind, list[Mark]]:
    """The marks of each kind that there are any of."""
    kinds = {kind: [mark for mark in marks if mark.question.kind is kind] for kind in Kind}
    return {kind: some for kind, some in kinds.items() if some}


def share(marks: Iterable[Mark]) -> float:
    """How many of them are right."""
    return fmean([float(mark.right) for mark in marks] or [0.0])


def cited(marks: Sequence[Mark]) -> float:
    """How many of the citations overlap the truth."""
    return fmean([mark.cited for mark in marks if mark.cited is not None] or [0.0])


def refused(marks: Sequence[Mark]) -> float:
    """How many of the questions that can be answered were not."""
    return fmean([float(mark.refused) for mark in marks if mark.question.spans] or [0.0])


def rows(title: str, marks: Sequence[Mark]) -> list[list[str]]:
    """One line for each kind of question, and one for all."""
    groups = [*((kind.value, some) for kind, some in by_kind(marks).items()), ("all", list(marks))]
    return [
        [
            title,
            name,
            str(len(some)),
            f"{share(some):.2f}",
            f"{cited(some):.2f}",
            f"{refused(some):.2f}",
            f"{fmean(float(mark.shown) for mark in some):.2f}",
            f"{fmean(mark.tokens for mark in some):.0f}",
            f"{fmean(mark.seconds for mark in some):.2f}",
        ]
        for name, some in groups
    ]


_HEADINGS = ("view", "question", "asked", "right", "cited", "refused", "shown", "tokens", "seconds")


def figures(marks: Sequence[Mark], minutes: int) -> list[Figure]:
    """What the default is held to."""
    kinds = by_kind(marks)
    listed = [
        Figure(f"{kind.value}, {minutes} minutes", share(kinds[kind]), "", target)
        for kind, target in _TARGETS.items()
        if kind in kinds
    ]
    return [
        *listed,
        Figure(f"answerable refused, {minutes} minutes", refused(marks), "", 0.05, at_least=False),
        Figure(f"citations right, {minutes} minutes", cited(marks), "", 0.9),
    ]


def compared(views: dict[str, list[Mark]]) -> list[Figure]:
    """What memory and retrieval give over less, on the questions that both were asked."""
    found = []
    if others := views.get("uniform frames"):
        found.append(Figure("over uniform frames, all", _over(views[_DEFAULT], others), "", 0.3))
    if others := views.get("retrieval"):
        coverage = [mark for mark in others if mark.question.kind in _COVERAGE]
        found.append(Figure("over retrieval alone, coverage", _over(views[_DEFAULT], coverage), "", 0.05))
    return found


def _over(own: Sequence[Mark], others: Sequence[Mark]) -> float:
    asked = {mark.question for mark in others}
    return share(mark for mark in own if mark.question in asked) - share(others)


def _write(table: list[list[str]]) -> None:
    lines = [f"| {' | '.join(row)} |" for row in (list(_HEADINGS), ["---"] * len(_HEADINGS), *table)]
    begun, end = "<!-- table -->", "<!-- end -->"
    text = DOCS.read_text("utf-8")
    head, tail = text[: text.index(begun) + len(begun)], text[text.index(end) :]
    DOCS.write_text(f"{head}\n{machine()}.\n\n" + "\n".join(lines) + f"\n{tail}", "utf-8")


def _log(path: Path | None, view: str, minutes: int, marks: Sequence[Mark]) -> None:
    if path is None:
        return
    with path.open("a", encoding="utf-8") as file:
        for mark in marks:
            line = {"view": view, "minutes": minutes, "kind": mark.question.kind.value, "question": mark.question.text}
            line |= {"wanted": mark.question.answer, "said": mark.text, "right": mark.right, "cited": mark.cited}
            file.write(json.dumps(line) + "\n")


@dataclass(frozen=True, slots=True)
class Sitting:
    """What came out: the table's lines, and the marks of every view and those of the summaries of every length."""

    table: list[list[str]]
    marks: dict[int, dict[str, list[Mark]]]
    summaries: dict[int, list[tuple[float, float]]]


def sit(settings: Settings, given: argparse.Namespace) -> Sitting:
    """Draw and index the videos, ask everything in every view that was named, and print the tables as they come."""
    table: list[list[str]] = []
    marks: dict[int, dict[str, list[Mark]]] = {}
    summaries: dict[int, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as made:
        for minutes in given.minutes:
            exam = Exam(given.work or Path(made), minutes, given.questions, settings, given.seed)
            names = given.views if minutes == given.compare else [_DEFAULT]
            marks[minutes] = {}
            for name in dict.fromkeys([_DEFAULT, *names]):
                marks[minutes][name] = list(exam.sit(name, 1 if name == _DEFAULT else given.one_in))
                _log(given.answers, name, minutes, marks[minutes][name])
                own = rows(f"{name}, {minutes} min", marks[minutes][name])
                print_table(f"{name}, {minutes} minutes", _HEADINGS, own)
                table += own
            summaries[minutes] = list(exam.summaries()) if minutes in given.summaries else []
            exam.container.close()
    return Sitting(table, marks, summaries)


def sitting_arguments(description: str) -> argparse.ArgumentParser:
    """What can be chosen of such a comparison."""
    parser = arguments(description)
    parser.add_argument("--minutes", type=int, nargs="+", default=[10, 60, 240], help="lengths of the videos")
    parser.add_argument("--questions", type=int, default=216, help="questions for each length")
    parser.add_argument("--compare", type=int, default=60, help="the length at which every view is tried; 0: none")
    parser.add_argument("--one-in", type=int, default=1, help="ask the other views one in so many questions")
    parser.add_argument("--views", nargs="+", default=[*VIEWS, _PERFECT], choices=[*VIEWS, _PERFECT], help="which")
    parser.add_argument("--summaries", type=int, nargs="*", default=[10, 60], help="lengths that are summarized too")
    parser.add_argument("--seed", type=int, default=_SEED, help="of the videos; another one to choose settings by")
    parser.add_argument("--work", type=Path, help="where the archive is kept")
    parser.add_argument("--answers", type=Path, help="write every answer, as JSON lines")
    return parser


def main() -> int:
    """The command."""
    parser = sitting_arguments(__doc__ or "")
    parser.add_argument("--write", action="store_true", help="put the table into the documentation")
    given = parser.parse_args()
    sitting = sit(settings_of({}), given)
    if given.write:
        _write(sitting.table)
    found: list[Figure] = []
    for minutes, views in sitting.marks.items():
        found += figures(views[_DEFAULT], minutes) if minutes == given.compare else []
        found += compared(views)
    for minutes, marks in sitting.summaries.items():
        if marks:
            found += [
                Figure(f"summaries: long events told, {minutes} minutes", fmean(one for one, _ in marks), "", 0.85),
                Figure(
                    f"summaries: false, {minutes} minutes", fmean(one for _, one in marks), "", 0.05, at_least=False
                ),
            ]
    overall = {minutes: share(views[_DEFAULT]) for minutes, views in sitting.marks.items()}
    if 10 in overall and 240 in overall:
        found.append(Figure("lost from 10 minutes to 4 hours", overall[10] - overall[240], "", 0.05, at_least=False))
    return report("long video questions", found, given.check, given.json)


if __name__ == "__main__":
    sys.exit(main())
