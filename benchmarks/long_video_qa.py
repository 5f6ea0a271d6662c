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

from benchmarks.context_strategies import CONTEXT_STRATEGIES, is_evidence_sufficient, with_oracle_retrieval
from benchmarks.report import Figure, describe_machine, make_parser, print_table, report
from benchmarks.scoring import AnswerScore, score_answer, score_summary
from demoworld.world.concepts import load_concepts
from demoworld.world.questions import Question, QuestionKind, generate_questions
from demoworld.world.truth import VideoTruth, read_video_truth
from demoworld.world.video_rendering import VideoSpec, render_video
from indexer.types import SegmentFilter
from services.answering.answering import Answering
from services.catalog.types import Asset
from services.container import Container
from services.settings import Settings, load_settings

DOCS_FILE = Path(__file__).parents[1] / "docs" / "long_video_qa.md"
_FIRST_SEED, _DEFAULT_STRATEGY, _ORACLE_STRATEGY = 31_000, "bank + retrieval", "perfect retrieval"
_VIDEOS_PER_LENGTH = {10: 3, 60: 2, 240: 1}
_LONG_MINUTES, _ABSENT_SHARE, _SINGLE_SHARE = 60, 0.2, 0.4
"""The shares of all concepts that never appear in a video of an hour or more, and that appear once at most: else all of
them would, several times, and neither be asked about as absent nor as one moment."""
_ENVIRONMENT = {
    "AFTERIMAGE_GENERATOR__KIND": "onevision",
    "AFTERIMAGE_GENERATOR__MODEL": "package:demoworld/weights/onevision",
    "AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS": "2048",
    "AFTERIMAGE_GENERATOR__MAX_OUTPUT_TOKENS": "160",
}
_COVERAGE_KINDS = (QuestionKind.HOW_OFTEN, QuestionKind.BETWEEN, QuestionKind.BEFORE, QuestionKind.CHANGED)
_TARGETS = {
    QuestionKind.IS_THERE: 0.95,
    QuestionKind.VISIBLE_AT: 0.9,
    QuestionKind.PLACE: 0.9,
    QuestionKind.HOW_MANY: 0.85,
    QuestionKind.FIRST: 0.85,
    QuestionKind.WHEN: 0.85,
    QuestionKind.ABSENT: 0.95,
}


class Evaluation:
    """The videos of one length, indexed, and the questions on each."""

    def __init__(self, work: Path, minutes: int, count: int, settings: Settings, seed: int) -> None:
        self.minutes, self._work, self._count, self._seed = minutes, work / f"{minutes}", count, seed
        self._work.mkdir(parents=True, exist_ok=True)
        self.container = Container(settings.model_copy(update={"home": self._work / "home"}))
        self._videos = [self._prepare_video(number) for number in range(_VIDEOS_PER_LENGTH.get(minutes, 1))]

    def run(self, strategy: str, every_nth: int = 1) -> Iterator[AnswerScore]:
        """Every question asked in one view, or one in so many of each kind."""
        for truth, asset in self._videos:
            questions = self._select_questions(truth)[::every_nth]
            if strategy == _ORACLE_STRATEGY:
                answering = with_oracle_retrieval(self.container, asset, truth, questions)
            else:
                answering = CONTEXT_STRATEGIES[strategy](self.container, asset)
            filters = SegmentFilter(assets=frozenset([asset.asset_id]))
            for question in questions:
                yield self._score_question(answering, question, filters)

    def score_summaries(self) -> Iterator[tuple[float, float]]:
        """Each video summarized: see `marking.told`."""
        for truth, asset in self._videos:
            yield score_summary(truth, self.container.summarizing.summarize(asset))

    def _score_question(self, answering: Answering, question: Question, filters: SegmentFilter) -> AnswerScore:
        begun = time.perf_counter()
        evidence = answering.gather_evidence(question.text, filters)
        answer = answering.answer_from(question.text, evidence)
        seconds = time.perf_counter() - begun
        tokens = self.container.onevision.count_prompt_tokens(question.text, evidence) if evidence else 0
        shown = is_evidence_sufficient(question, evidence)
        return replace(score_answer(question, answer), evidence_suffices=shown, prompt_tokens=tokens, seconds=seconds)

    def _select_questions(self, truth: VideoTruth) -> list[Question]:
        """As many of each kind as it takes, since some kinds are rare, to come to the number asked for."""
        question_count = -(-self._count // len(self._videos))
        tries = (
            generate_questions(truth, truth.seed, each)
            for each in range(question_count // len(QuestionKind), question_count + 1)
        )
        return next(
            (asked for asked in tries if len(asked) >= question_count),
            generate_questions(truth, truth.seed, question_count),
        )

    def _prepare_video(self, number: int) -> tuple[VideoTruth, Asset]:
        path = self._work / f"video_{number}.mp4"
        if not path.with_suffix(".truth.json").exists():
            render_video(_make_spec(self._seed + 100 * self.minutes + number, self.minutes), path)
        truth = read_video_truth(path.with_suffix(".truth.json"))
        assets = [asset for asset in self.container.catalog.assets() if asset.name == path.name]
        if not assets:
            list(self.container.indexing.index_paths([path], "videos"))
            assets = [asset for asset in self.container.catalog.assets() if asset.name == path.name]
        return truth, assets[0]


def _make_spec(seed: int, minutes: int) -> VideoSpec:
    if minutes < _LONG_MINUTES:
        return VideoSpec(seed=seed, seconds=60.0 * minutes)
    names = [known.name for known in load_concepts()]
    order = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    absent, once = round(_ABSENT_SHARE * len(names)), round(_SINGLE_SHARE * len(names))
    return VideoSpec(
        seed=seed,
        seconds=60.0 * minutes,
        excluded_concepts=tuple(order[:absent]),
        single_concepts=tuple(order[absent : absent + once]),
    )


def load_evaluation_settings(environment: dict[str, str]) -> Settings:
    """The demo profile with the drawn world's OneVision answering, and what the environment says."""
    os.environ.update(_ENVIRONMENT | os.environ | environment)
    return load_settings("demo")


def group_by_kind(scores: Sequence[AnswerScore]) -> dict[QuestionKind, list[AnswerScore]]:
    """The marks of each kind that there are any of."""
    kinds = {kind: [mark for mark in scores if mark.question.kind is kind] for kind in QuestionKind}
    return {kind: some for kind, some in kinds.items() if some}


def measure_accuracy(scores: Iterable[AnswerScore]) -> float:
    """How many of them are right."""
    return fmean([float(mark.right) for mark in scores] or [0.0])


def measure_citation_precision(scores: Sequence[AnswerScore]) -> float:
    """How many of the citations overlap the truth."""
    return fmean([mark.citation_precision for mark in scores if mark.citation_precision is not None] or [0.0])


def measure_refusal_rate(scores: Sequence[AnswerScore]) -> float:
    """How many of the questions that can be answered were not."""
    return fmean([float(mark.abstained) for mark in scores if mark.question.spans] or [0.0])


def make_table_rows(title: str, scores: Sequence[AnswerScore]) -> list[list[str]]:
    """One line for each kind of question, and one for all."""
    groups = [*((kind.value, some) for kind, some in group_by_kind(scores).items()), ("all", list(scores))]
    return [
        [
            title,
            name,
            str(len(some)),
            f"{measure_accuracy(some):.2f}",
            f"{measure_citation_precision(some):.2f}",
            f"{measure_refusal_rate(some):.2f}",
            f"{fmean(float(mark.evidence_suffices) for mark in some):.2f}",
            f"{fmean(mark.prompt_tokens for mark in some):.0f}",
            f"{fmean(mark.seconds for mark in some):.2f}",
        ]
        for name, some in groups
    ]


_HEADINGS = ("view", "question", "asked", "right", "cited", "refused", "shown", "tokens", "seconds")


def make_figures(scores: Sequence[AnswerScore], minutes: int) -> list[Figure]:
    """What the default is held to."""
    kinds = group_by_kind(scores)
    by_kind_figures = [
        Figure(f"{kind.value}, {minutes} minutes", measure_accuracy(kinds[kind]), "", target)
        for kind, target in _TARGETS.items()
        if kind in kinds
    ]
    return [
        *by_kind_figures,
        Figure(f"answerable refused, {minutes} minutes", measure_refusal_rate(scores), "", 0.05, at_least=False),
        Figure(f"citations right, {minutes} minutes", measure_citation_precision(scores), "", 0.9),
    ]


def compare_strategies(scores_by_strategy: dict[str, list[AnswerScore]]) -> list[Figure]:
    """What memory and retrieval give over less, on the questions that both were asked."""
    gains = []
    if others := scores_by_strategy.get("uniform frames"):
        gains.append(
            Figure("over uniform frames, all", _accuracy_gain(scores_by_strategy[_DEFAULT_STRATEGY], others), "", 0.3)
        )
    if others := scores_by_strategy.get("retrieval"):
        coverage = [mark for mark in others if mark.question.kind in _COVERAGE_KINDS]
        gains.append(
            Figure(
                "over retrieval alone, coverage",
                _accuracy_gain(scores_by_strategy[_DEFAULT_STRATEGY], coverage),
                "",
                0.05,
            )
        )
    return gains


def _accuracy_gain(own: Sequence[AnswerScore], others: Sequence[AnswerScore]) -> float:
    asked = {mark.question for mark in others}
    return measure_accuracy(mark for mark in own if mark.question in asked) - measure_accuracy(others)


def _write_docs_table(table: list[list[str]]) -> None:
    lines = [f"| {' | '.join(row)} |" for row in (list(_HEADINGS), ["---"] * len(_HEADINGS), *table)]
    begun, end = "<!-- table -->", "<!-- end -->"
    text = DOCS_FILE.read_text("utf-8")
    head, tail = text[: text.index(begun) + len(begun)], text[text.index(end) :]
    DOCS_FILE.write_text(f"{head}\n{describe_machine()}.\n\n" + "\n".join(lines) + f"\n{tail}", "utf-8")


def _log_answers(path: Path | None, strategy: str, minutes: int, scores: Sequence[AnswerScore]) -> None:
    if path is None:
        return
    with path.open("a", encoding="utf-8") as file:
        for mark in scores:
            line = {
                "view": strategy,
                "minutes": minutes,
                "kind": mark.question.kind.value,
                "question": mark.question.text,
            }
            line |= {
                "wanted": mark.question.answer,
                "said": mark.text,
                "right": mark.right,
                "cited": mark.citation_precision,
            }
            file.write(json.dumps(line) + "\n")


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """What came out: the table's lines, and the marks of every view and those of the summaries of every length."""

    table: list[list[str]]
    scores: dict[int, dict[str, list[AnswerScore]]]
    summaries: dict[int, list[tuple[float, float]]]


def run(settings: Settings, args: argparse.Namespace) -> EvaluationRun:
    """Draw and index the videos, ask everything in every view that was named, and print the tables as they come."""
    table: list[list[str]] = []
    scores: dict[int, dict[str, list[AnswerScore]]] = {}
    summaries: dict[int, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as made:
        for minutes in args.minutes:
            evaluation = Evaluation(args.work or Path(made), minutes, args.questions, settings, args.seed)
            names = args.views if minutes == args.compare else [_DEFAULT_STRATEGY]
            scores[minutes] = {}
            for name in dict.fromkeys([_DEFAULT_STRATEGY, *names]):
                scores[minutes][name] = list(evaluation.run(name, 1 if name == _DEFAULT_STRATEGY else args.one_in))
                _log_answers(args.answers, name, minutes, scores[minutes][name])
                own = make_table_rows(f"{name}, {minutes} min", scores[minutes][name])
                print_table(f"{name}, {minutes} minutes", _HEADINGS, own)
                table += own
            summaries[minutes] = list(evaluation.score_summaries()) if minutes in args.summaries else []
            evaluation.container.close()
    return EvaluationRun(table, scores, summaries)


def make_evaluation_parser(description: str) -> argparse.ArgumentParser:
    """What can be chosen of such a comparison."""
    parser = make_parser(description)
    parser.add_argument("--minutes", type=int, nargs="+", default=[10, 60, 240], help="lengths of the videos")
    parser.add_argument("--questions", type=int, default=216, help="questions for each length")
    parser.add_argument("--compare", type=int, default=60, help="the length at which every view is tried; 0: none")
    parser.add_argument("--one-in", type=int, default=1, help="ask the other views one in so many questions")
    parser.add_argument(
        "--views",
        nargs="+",
        default=[*CONTEXT_STRATEGIES, _ORACLE_STRATEGY],
        choices=[*CONTEXT_STRATEGIES, _ORACLE_STRATEGY],
        help="which",
    )
    parser.add_argument("--summaries", type=int, nargs="*", default=[10, 60], help="lengths that are summarized too")
    parser.add_argument(
        "--seed", type=int, default=_FIRST_SEED, help="of the videos; another one to choose settings by"
    )
    parser.add_argument("--work", type=Path, help="where the archive is kept")
    parser.add_argument("--answers", type=Path, help="write every answer, as JSON lines")
    return parser


def main() -> int:
    """The command."""
    parser = make_evaluation_parser(__doc__ or "")
    parser.add_argument("--write", action="store_true", help="put the table into the documentation")
    args = parser.parse_args()
    evaluation_run = run(load_evaluation_settings({}), args)
    if args.write:
        _write_docs_table(evaluation_run.table)
    all_figures: list[Figure] = []
    for minutes, views in evaluation_run.scores.items():
        all_figures += make_figures(views[_DEFAULT_STRATEGY], minutes) if minutes == args.compare else []
        all_figures += compare_strategies(views)
    for minutes, marks in evaluation_run.summaries.items():
        if marks:
            all_figures += [
                Figure(f"summaries: long events told, {minutes} minutes", fmean(one for one, _ in marks), "", 0.85),
                Figure(
                    f"summaries: false, {minutes} minutes", fmean(one for _, one in marks), "", 0.05, at_least=False
                ),
            ]
    overall = {minutes: measure_accuracy(views[_DEFAULT_STRATEGY]) for minutes, views in evaluation_run.scores.items()}
    if 10 in overall and 240 in overall:
        all_figures.append(
            Figure("lost from 10 minutes to 4 hours", overall[10] - overall[240], "", 0.05, at_least=False)
        )
    return report("long video questions", all_figures, args.check, args.json)


if __name__ == "__main__":
    sys.exit(main())
