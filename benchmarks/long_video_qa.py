"""Benchmark of question answering on long videos of the drawn world, on held-out seeds, end to end by the services.

Videos of each length are rendered, indexed from their pixels, and asked everything that the drawn world can be asked;
each answer is compared with the truth. At one length all context strategies are compared within the same token budget:
evenly spread frames, memories, search results, and both. Two columns tell whether search or the model loses an answer:
`shown` is the share of questions whose evidence suffices for the answer; "perfect retrieval" shows the model the
truth's own moments among others. `--write` puts the table into the documentation. With `--work` the archive is kept, so
that a second run only asks.
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
"""In a video of `_LONG_MINUTES` or more, the shares of concepts that never appear and that appear once at most.

Else all would appear several times, and no question about an absent thing or a single moment could be asked."""
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
    """Indexed videos of one length, and questions on each."""

    def __init__(self, work: Path, minutes: int, count: int, settings: Settings, seed: int) -> None:
        self.minutes, self._work, self._count, self._seed = minutes, work / f"{minutes}", count, seed
        self._work.mkdir(parents=True, exist_ok=True)
        self.container = Container(settings.model_copy(update={"home": self._work / "home"}))
        self._videos = [self._prepare_video(number) for number in range(_VIDEOS_PER_LENGTH.get(minutes, 1))]

    def run(self, strategy: str, every_nth: int = 1) -> Iterator[AnswerScore]:
        """Yield the scores of every n-th question of each video under one context strategy."""
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
        """Summarize each video; yields the scores of `scoring.score_summary`."""
        for truth, asset in self._videos:
            yield score_summary(truth, self.container.summarizing.summarize(asset))

    def _score_question(self, answering: Answering, question: Question, filters: SegmentFilter) -> AnswerScore:
        started = time.perf_counter()
        evidence = answering.gather_evidence(question.text, filters)
        answer = answering.answer_from(question.text, evidence)
        seconds = time.perf_counter() - started
        tokens = self.container.generation.onevision.count_prompt_tokens(question.text, evidence) if evidence else 0
        suffices = is_evidence_sufficient(question, evidence)
        return replace(
            score_answer(question, answer), evidence_suffices=suffices, prompt_tokens=tokens, seconds=seconds
        )

    def _select_questions(self, truth: VideoTruth) -> list[Question]:
        """Return about the requested number of questions, equally many of each kind as far as rare kinds allow."""
        question_count = -(-self._count // len(self._videos))
        tries = (
            generate_questions(truth, truth.seed, max_per_kind)
            for max_per_kind in range(question_count // len(QuestionKind), question_count + 1)
        )
        return next(
            (questions for questions in tries if len(questions) >= question_count),
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
    """Load the demo profile with the drawn world's OneVision, overridden by the environment."""
    os.environ.update(_ENVIRONMENT | os.environ | environment)
    return load_settings("demo")


def group_by_kind(scores: Sequence[AnswerScore]) -> dict[QuestionKind, list[AnswerScore]]:
    """Group scores by kind of question, without empty groups."""
    kinds = {kind: [mark for mark in scores if mark.question.kind is kind] for kind in QuestionKind}
    return {kind: group for kind, group in kinds.items() if group}


def measure_accuracy(scores: Iterable[AnswerScore]) -> float:
    """Return the share of right answers."""
    return fmean([float(mark.right) for mark in scores] or [0.0])


def measure_citation_precision(scores: Sequence[AnswerScore]) -> float:
    """Return the mean share of citations that overlap the truth."""
    return fmean([mark.citation_precision for mark in scores if mark.citation_precision is not None] or [0.0])


def measure_refusal_rate(scores: Sequence[AnswerScore]) -> float:
    """Return the share of answerable questions that were refused."""
    return fmean([float(mark.abstained) for mark in scores if mark.question.spans] or [0.0])


def make_table_rows(title: str, scores: Sequence[AnswerScore]) -> list[list[str]]:
    """Return one row for each kind of question, and one for all."""
    groups = [*((kind.value, group) for kind, group in group_by_kind(scores).items()), ("all", list(scores))]
    return [
        [
            title,
            name,
            str(len(group)),
            f"{measure_accuracy(group):.2f}",
            f"{measure_citation_precision(group):.2f}",
            f"{measure_refusal_rate(group):.2f}",
            f"{fmean(float(mark.evidence_suffices) for mark in group):.2f}",
            f"{fmean(mark.prompt_tokens for mark in group):.0f}",
            f"{fmean(mark.seconds for mark in group):.2f}",
        ]
        for name, group in groups
    ]


_HEADINGS = ("view", "question", "asked", "right", "cited", "refused", "shown", "tokens", "seconds")


def make_figures(scores: Sequence[AnswerScore], minutes: int) -> list[Figure]:
    """Return the figures of the default strategy with their targets."""
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
    """Return the accuracy gains of memory and retrieval over less, on the questions asked under both."""
    gains = []
    if baseline := scores_by_strategy.get("uniform frames"):
        gains.append(
            Figure("over uniform frames, all", _accuracy_gain(scores_by_strategy[_DEFAULT_STRATEGY], baseline), "", 0.3)
        )
    if baseline := scores_by_strategy.get("retrieval"):
        coverage = [mark for mark in baseline if mark.question.kind in _COVERAGE_KINDS]
        gains.append(
            Figure(
                "over retrieval alone, coverage",
                _accuracy_gain(scores_by_strategy[_DEFAULT_STRATEGY], coverage),
                "",
                0.05,
            )
        )
    return gains


def _accuracy_gain(scores: Sequence[AnswerScore], baseline: Sequence[AnswerScore]) -> float:
    baseline_questions = {mark.question for mark in baseline}
    return measure_accuracy(mark for mark in scores if mark.question in baseline_questions) - measure_accuracy(baseline)


def _write_docs_table(table: list[list[str]]) -> None:
    lines = [f"| {' | '.join(row)} |" for row in (list(_HEADINGS), ["---"] * len(_HEADINGS), *table)]
    begin, end = "<!-- table -->", "<!-- end -->"
    text = DOCS_FILE.read_text("utf-8")
    head, tail = text[: text.index(begin) + len(begin)], text[text.index(end) :]
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
    """Results of an evaluation.

    `scores` by length and strategy; `summaries` by length: shares of long events told and of false statements.
    """

    table: list[list[str]]
    scores: dict[int, dict[str, list[AnswerScore]]]
    summaries: dict[int, list[tuple[float, float]]]


def run(settings: Settings, args: argparse.Namespace) -> EvaluationRun:
    """Render and index the videos, ask everything under every chosen strategy, and print each table when it is done."""
    table: list[list[str]] = []
    scores: dict[int, dict[str, list[AnswerScore]]] = {}
    summaries: dict[int, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as temp_folder:
        for minutes in args.minutes:
            evaluation = Evaluation(args.work or Path(temp_folder), minutes, args.questions, settings, args.seed)
            names = args.views if minutes == args.compare else [_DEFAULT_STRATEGY]
            scores[minutes] = {}
            for name in dict.fromkeys([_DEFAULT_STRATEGY, *names]):
                scores[minutes][name] = list(evaluation.run(name, 1 if name == _DEFAULT_STRATEGY else args.one_in))
                _log_answers(args.answers, name, minutes, scores[minutes][name])
                rows = make_table_rows(f"{name}, {minutes} min", scores[minutes][name])
                print_table(f"{name}, {minutes} minutes", _HEADINGS, rows)
                table += rows
            summaries[minutes] = list(evaluation.score_summaries()) if minutes in args.summaries else []
            evaluation.container.close()
    return EvaluationRun(table, scores, summaries)


def make_evaluation_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of an evaluation's options."""
    parser = make_parser(description)
    parser.add_argument(
        "--minutes", type=int, nargs="+", default=[10, 60, 240], help="lengths of the videos in minutes"
    )
    parser.add_argument("--questions", type=int, default=216, help="questions for each length")
    parser.add_argument("--compare", type=int, default=60, help="length at which all strategies are compared; 0: none")
    parser.add_argument("--one-in", type=int, default=1, help="ask the other strategies every n-th question only")
    parser.add_argument(
        "--views",
        nargs="+",
        default=[*CONTEXT_STRATEGIES, _ORACLE_STRATEGY],
        choices=[*CONTEXT_STRATEGIES, _ORACLE_STRATEGY],
        help="context strategies to compare",
    )
    parser.add_argument(
        "--summaries", type=int, nargs="*", default=[10, 60], help="lengths whose videos are summarized too"
    )
    parser.add_argument(
        "--seed", type=int, default=_FIRST_SEED, help="first seed of the videos; use another one to choose settings by"
    )
    parser.add_argument("--work", type=Path, help="folder in which the archive is kept between runs")
    parser.add_argument("--answers", type=Path, help="file to which every answer is appended, as JSON lines")
    return parser


def main() -> int:
    """Run the command line."""
    parser = make_evaluation_parser(__doc__ or "")
    parser.add_argument("--write", action="store_true", help="put the table into the documentation")
    args = parser.parse_args()
    evaluation_run = run(load_evaluation_settings({}), args)
    if args.write:
        _write_docs_table(evaluation_run.table)
    all_figures: list[Figure] = []
    for minutes, by_strategy in evaluation_run.scores.items():
        all_figures += make_figures(by_strategy[_DEFAULT_STRATEGY], minutes) if minutes == args.compare else []
        all_figures += compare_strategies(by_strategy)
    for minutes, marks in evaluation_run.summaries.items():
        if marks:
            all_figures += [
                Figure(
                    f"summaries: long events told, {minutes} minutes",
                    fmean(coverage for coverage, _ in marks),
                    "",
                    0.85,
                ),
                Figure(
                    f"summaries: false, {minutes} minutes",
                    fmean(false_share for _, false_share in marks),
                    "",
                    0.05,
                    at_least=False,
                ),
            ]
    overall = {
        minutes: measure_accuracy(by_strategy[_DEFAULT_STRATEGY])
        for minutes, by_strategy in evaluation_run.scores.items()
    }
    if 10 in overall and 240 in overall:
        all_figures.append(
            Figure("lost from 10 minutes to 4 hours", overall[10] - overall[240], "", 0.05, at_least=False)
        )
    return report("long video questions", all_figures, args.check, args.json)


if __name__ == "__main__":
    sys.exit(main())
