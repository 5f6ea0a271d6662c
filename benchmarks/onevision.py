"""Benchmark of LLaVA-OneVision in this process: latency, batching and throughput, with random weights.

Shapes are the real ones, or one for a CPU. Measured are the time to first token of the first question on a video, of
the second on the same, and of a second with new frames; 8 questions decoded together and one after the other; and 16
frames through `Engine` and through the model's own `generate` on pixels. Every ratio is the median of those of the
rounds. On a CPU one thread computes, so that the ratios are those of the arithmetic.
"""

from __future__ import annotations

import io
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.report import Figure, make_parser, report
from indexer.types import AssetKind, Lane, Origin, PictureRef, Segment
from services.catalog.types import Asset
from services.generators.onevision.checkpoint import OneVisionCheckpoint
from services.generators.onevision.engine import Engine, PromptPart
from services.generators.onevision.generator import OneVisionGenerator
from services.generators.onevision.prompt import PromptPlanner
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import VisionEncoder
from services.generators.prompts import SYSTEM_PROMPT
from services.generators.types import DraftSentence, Evidence
from services.search.types import RetrievedSegment
from tests.support.random_onevision import MODEL_DIMENSIONS, make_checkpoint

_VIDEO = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 3600.0, None, 640, 360, 0.0, 1, 1, (), 0.0)
_SLOT_COUNT, _SLOT_TOKENS, _FRAME_TOKENS, _FIRST_QUESTION, _NEW_FRAME_COUNTS = 96, 16, 196, -1, (1, 4, 16)
_MAX_PROMPT_TOKENS, _QUESTION_COUNT, _OUTPUT_TOKENS = 12_288, 8, 32
_Request: TypeAlias = tuple[str, Sequence[Evidence]]
"""A question and its evidence."""
_QUESTION = "What happens after the second visitor has left the room, and who closes the door?"


class OneVisionBenchmark:
    """Measurements of one checkpoint; every measured video is a new one."""

    def __init__(self, checkpoint: OneVisionCheckpoint, rounds: int) -> None:
        self._checkpoint, self._round_count = checkpoint, rounds
        self._video_seeds = itertools.count(1)
        frames = np.random.default_rng(0).integers(0, 255, (max(_NEW_FRAME_COUNTS), 18, 32, 3), np.uint8)
        self._frames = list(frames.repeat(20, 1).repeat(20, 2))
        self._jpegs = {
            PictureRef(f"{number}.jpegs", 0, 9): _encode_jpeg(frame) for number, frame in enumerate(self._frames)
        }
        self._width = int(checkpoint.model.config.text_config.hidden_size)

    def measure_first_tokens(self) -> list[Figure]:
        """Measure time to first token: of a new video, of a known one, and with new frames."""
        generator = self._make_generator(1)
        list(generator.answer(_QUESTION, [*self._make_memory(), *self._new_frames(1)]))
        times: dict[int, list[float]] = {count: [] for count in (_FIRST_QUESTION, 0, *_NEW_FRAME_COUNTS)}
        for _ in range(self._round_count):
            film = self._make_memory()
            for count, seconds in times.items():
                evidence = [*film, *self._new_frames(max(count, 0))]
                question = _QUESTION if count == _FIRST_QUESTION else "And who came before?"
                seconds.append(self._time_call(partial(_collect_answer, generator, question, evidence)))
        first, (tokens, _) = times[_FIRST_QUESTION], self._measure_lengths(0)
        figures = [
            Figure(f"first question on a video, {tokens:,} tokens: time to first token", median(first), "s"),
            Figure("second, from memory alone, over the first", _median_ratio(times[0], first), "×", 0.2, False),
        ]
        for count in _NEW_FRAME_COUNTS:
            tokens, cached = self._measure_lengths(count)
            new_percent = 100 * (tokens - cached) / tokens
            name = f"second, new frames: {count}, {new_percent:.0f} % of the prompt new; over the first"
            figures.append(Figure(name, _median_ratio(times[count], first), "×"))
        return figures

    def measure_batching(self) -> list[Figure]:
        """Measure 8 questions on two videos, batched over sequential; videos new, then known."""
        single, batched = self._make_generator(_OUTPUT_TOKENS), self._make_generator(_OUTPUT_TOKENS, _QUESTION_COUNT)
        ratios: dict[str, list[float]] = {"not read": [], "read": []}
        sequential_s: list[float] = []
        with ThreadPoolExecutor(_QUESTION_COUNT) as threads:
            for _ in range(self._round_count):
                films = [self._make_memory(), self._make_memory()]
                for kind, kind_ratios in ratios.items():
                    requests = [
                        (f"{_QUESTION} {kind} {number}", films[number % 2]) for number in range(_QUESTION_COUNT)
                    ]
                    alone_s = self._time_call(partial(_answer_in_turn, single, requests))
                    together_s = self._time_call(partial(_answer_together, threads, batched, requests))
                    kind_ratios.append(together_s / alone_s)
                sequential_s.append(alone_s)
        batched.close()
        return [
            Figure(
                f"{_QUESTION_COUNT} questions on 2 videos, {_OUTPUT_TOKENS} words each, one after the other",
                median(sequential_s),
                "s",
            ),
            *(
                Figure(f"together over it, videos {kind} before", median(kind_ratios), "×")
                for kind, kind_ratios in ratios.items()
            ),
        ]

    def measure_pixels(self) -> list[Figure]:
        """Measure 16 frames through the engine and through `generate`: latency, rate, peak memory on a GPU."""
        figures: list[Figure] = []
        for name, write in (("engine", self._make_engine_writer()), ("generate on pixels", self._make_pixels_writer())):
            write(2)
            if self._checkpoint.device != "cpu":
                torch.cuda.reset_peak_memory_stats()
            first = [self._time_call(partial(write, 1)) for _ in range(self._round_count)]
            whole = [self._time_call(partial(write, _OUTPUT_TOKENS)) for _ in range(self._round_count)]
            words = [(_OUTPUT_TOKENS - 1) / (long - short) for long, short in zip(whole, first, strict=True)]
            figures.append(Figure(f"16 frames, {name}: time to first token", median(first), "s"))
            figures.append(Figure(f"16 frames, {name}: words", median(words), "a second"))
            if self._checkpoint.device != "cpu":
                peak = torch.cuda.max_memory_allocated() / 1e9
                figures.append(Figure(f"16 frames, {name}: peak, weights included", peak, "GB"))
        return figures

    def _make_engine_writer(self) -> Callable[[int], object]:
        engine, vision = Engine(self._checkpoint), VisionEncoder(self._checkpoint)
        words = PromptTokenizer(self._checkpoint.processor.tokenizer)

        def write(count: int) -> object:
            tokens = torch.cat([*vision.encode_frames(self._frames, _FRAME_TOKENS), vision.newline_token])
            parts: list[PromptPart] = [tokens, words.encode_trusted(f"{_QUESTION}<|im_end|>\n")]
            return list(engine.generate(parts, engine.new_prefix(), count, frozenset()))

        return write

    def _make_pixels_writer(self) -> Callable[[int], object]:
        model, processor = self._checkpoint.model, self._checkpoint.processor

        def write(count: int) -> object:
            inputs = processor(
                text=f"<video>{_QUESTION}<|im_end|>\n", videos=[np.stack(self._frames)], return_tensors="pt"
            )
            on_device = inputs.to(self._checkpoint.device, self._checkpoint.dtype)
            return model.generate(**on_device, max_new_tokens=count, min_new_tokens=count, do_sample=False)

        return write

    def _make_generator(self, limit: int, parallel: int = 1) -> OneVisionGenerator:
        return OneVisionGenerator(
            "random weights",
            self._jpegs.__getitem__,
            max_prompt_tokens=_MAX_PROMPT_TOKENS,
            max_output_tokens=limit,
            max_batch=parallel,
            checkpoint_loader=lambda *_: self._checkpoint,
        )

    def _make_memory(self) -> list[Evidence]:
        """Return the memory evidence of a new video."""
        rng = np.random.default_rng(next(self._video_seeds))
        tokens = rng.standard_normal((_SLOT_COUNT, _SLOT_TOKENS, self._width), np.float32) * 0.02
        return [
            _make_evidence(f"M{number + 1}", 30.0 * number, None, slot_tokens)
            for number, slot_tokens in enumerate(tokens)
        ]

    def _new_frames(self, count: int) -> list[Evidence]:
        pictures = itertools.islice(self._jpegs, count)
        return [
            _make_evidence(f"F{number + 1}", 7.0 * number, picture, None) for number, picture in enumerate(pictures)
        ]

    def _measure_lengths(self, frames: int) -> tuple[int, int]:
        """Return the number of tokens of a prompt, and of its cached prefix."""
        words, vision = PromptTokenizer(self._checkpoint.processor.tokenizer), VisionEncoder(self._checkpoint)
        planner = PromptPlanner(self._checkpoint.prompt_template, _MAX_PROMPT_TOKENS, vision.count_frame_tokens, words)
        plan = planner.plan("Question: And who came before?", [*self._make_memory(), *self._new_frames(frames)], {})
        return plan.token_count, len(plan.opening) + sum(slot.cost for slot in plan.slots) + plan.newline

    def _time_call(self, work: Callable[[], object]) -> float:
        started = time.perf_counter()
        work()
        if self._checkpoint.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - started


def _make_evidence(
    name: str, start_s: float, picture: PictureRef | None, tokens: NDArray[np.float32] | None
) -> Evidence:
    segment = Segment(0, Origin.PICTURE, start_s, start_s + 5, None, None, "", (), picture)
    return Evidence(name, RetrievedSegment(_VIDEO, segment, 0.8, {Lane.VISUAL: 0.8}, 0.1), tokens)


def _collect_answer(generator: OneVisionGenerator, question: str, evidence: Sequence[Evidence]) -> list[DraftSentence]:
    return list(generator.answer(question, evidence))


def _answer_in_turn(generator: OneVisionGenerator, requests: Sequence[_Request]) -> object:
    return [_collect_answer(generator, *request) for request in requests]


def _answer_together(
    threads: ThreadPoolExecutor, generator: OneVisionGenerator, requests: Sequence[_Request]
) -> object:
    return list(threads.map(partial(_collect_answer, generator), *zip(*requests, strict=True)))


def _encode_jpeg(frame: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG")
    return buffer.getvalue()


def _median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    return median(numerator / denominator for numerator, denominator in zip(numerators, denominators, strict=True))


def _generate_corpus() -> Iterator[str]:
    yield SYSTEM_PROMPT
    yield _QUESTION
    yield from (f"[M{number} 00:{number % 60:02d}:00–00:{number % 60:02d}:30 of film.mp4]" for number in range(100))
    yield (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def run(size: str, rounds: int) -> list[Figure]:
    """Measure one size: tiny on the CPU, 0.5b and 7b on the GPU in float16."""
    if size == "tiny":
        torch.set_num_threads(1)
    device, dtype = ("cpu", torch.float32) if size == "tiny" else ("cuda", torch.float16)
    bench = OneVisionBenchmark(make_checkpoint(MODEL_DIMENSIONS[size], device, dtype, _generate_corpus()), rounds)
    return [*bench.measure_first_tokens(), *bench.measure_batching(), *bench.measure_pixels()]


if __name__ == "__main__":
    parser = make_parser(__doc__ or "")
    parser.add_argument("--size", choices=sorted(MODEL_DIMENSIONS), default="tiny", help="0.5b and 7b need a GPU")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each measurement")
    args = parser.parse_args()
    if args.size != "tiny" and not torch.cuda.is_available():
        sys.exit(f"--size {args.size} needs a GPU, and this machine has none; --size tiny runs on a CPU")
    where = "CPU" if args.size == "tiny" else torch.cuda.get_device_name()
    sys.exit(report(f"onevision, {args.size}, on {where}", run(args.size, args.rounds), args.check, args.json))
