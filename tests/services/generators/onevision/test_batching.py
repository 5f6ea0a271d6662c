"""Several prompts decoded together give what each gives alone; whatever goes wrong, nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from indexer.errors import ModelError
from services.generators.onevision.batching import Batcher, BatchPrompt
from services.generators.onevision.checkpoint import OneVisionCheckpoint
from services.generators.onevision.engine import Engine, PromptPart, TokenIds
from services.generators.onevision.generator import OneVisionGenerator
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import VisionEncoder
from services.generators.onevision.visual_vocabulary import VisualVocabulary
from tests.support.onevision_fixtures import (
    BUDGET,
    MAX_NEW_TOKENS,
    PICTURES,
    make_evidence,
    make_generator,
    make_pictures,
    make_slots,
)
from tests.support.waiting import TIMEOUT_S

MAX_TOKENS = 900


@pytest.fixture
def batcher(tiny_checkpoint: OneVisionCheckpoint) -> Iterator[Batcher]:
    made = Batcher(tiny_checkpoint, 3, MAX_TOKENS, cache_bytes=8 << 20, chunk_tokens=128)
    yield made
    made.close()


class VideoPrompts:
    """Prompts about two videos, each with a memory of its own, and what the engine alone writes for them."""

    def __init__(self, tiny_checkpoint: OneVisionCheckpoint) -> None:
        self.engine, self.words, self.vision = (
            Engine(tiny_checkpoint),
            PromptTokenizer(tiny_checkpoint.processor.tokenizer),
            VisionEncoder(tiny_checkpoint),
        )
        stops = tiny_checkpoint.model.generation_config.eos_token_id
        self.stop_ids = frozenset([stops])
        self.prefix_builds: list[str] = []

    def prefix_parts(self, film: int) -> list[PromptPart]:
        self.prefix_builds.append(f"film {film}")
        slots = torch.cat(
            [*self.vision.encode_frames(make_pictures(40 + film, seed=film), 196), self.vision.newline_token]
        )
        return [self.words.encode_trusted("<|im_start|>user\n[M1]"), slots]

    def suffix_parts(self, question: int) -> list[PromptPart]:
        frames = self.vision.encode_frames(make_pictures(1 + question % 3, seed=90 + question), 196)
        words = self.words.encode_trusted(f"What is that{' really' * question}?<|im_end|>\n")
        return [self.words.encode_untrusted("[F1]"), torch.cat(frames), words]

    def prompt(self, film: int, question: int) -> BatchPrompt:
        return BatchPrompt(f"film {film}", lambda: self.prefix_parts(film), lambda: self.suffix_parts(question))

    def generate_alone(self, film: int, question: int, limit: int) -> list[int]:
        parts = [*self.prefix_parts(film), *self.suffix_parts(question)]
        return list(self.engine.generate(parts, self.engine.new_prefix(), limit, self.stop_ids))


@pytest.fixture
def video_prompts(tiny_checkpoint: OneVisionCheckpoint) -> VideoPrompts:
    return VideoPrompts(tiny_checkpoint)


REQUESTS = [(0, 0, 24), (1, 1, 7), (0, 5, 30), (1, 9, 12), (0, 2, 1), (1, 0, 24), (0, 14, 18), (1, 3, 24)]


def generate_together(
    batcher: Batcher, video_prompts: VideoPrompts, requests: list[tuple[int, int, int]]
) -> list[list[int]]:
    def generate(request: tuple[int, int, int]) -> list[int]:
        film, question, limit = request
        return list(batcher.generate(video_prompts.prompt(film, question), limit, video_prompts.stop_ids))

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(generate, requests))


def test_together_is_what_each_is_alone(batcher: Batcher, video_prompts: VideoPrompts) -> None:
    expected = [video_prompts.generate_alone(*one) for one in REQUESTS]
    assert len({tuple(one) for one in expected}) > 4
    assert generate_together(batcher, video_prompts, REQUESTS) == expected


def test_together_is_what_the_model_itself_generates(
    batcher: Batcher, video_prompts: VideoPrompts, tiny_checkpoint: OneVisionCheckpoint
) -> None:
    requests = [(frames, 6 * frames) for frames in (1, 4, 2)]
    texts = [f"<video>Say{' it' * frames}!<|im_end|>" for frames, _ in requests]
    expected = []
    for (frames, limit), text in zip(requests, texts, strict=True):
        inputs = tiny_checkpoint.processor(text=text, videos=[np.stack(make_pictures(frames))], return_tensors="pt")
        out = tiny_checkpoint.model.generate(**inputs, max_new_tokens=limit, do_sample=False)[
            0, inputs["input_ids"].shape[1] :
        ]
        expected.append([one for one in out.tolist() if one not in video_prompts.stop_ids])

    def own(frames: int, text: str) -> list[PromptPart]:
        tokens = torch.cat(
            [*video_prompts.vision.encode_frames(make_pictures(frames), 196), video_prompts.vision.newline_token]
        )
        return [tokens, video_prompts.words.encode_trusted(text.removeprefix("<video>"))]

    with ThreadPoolExecutor(3) as threads:
        prompts = [
            BatchPrompt("", list, lambda frames=frames, text=text: own(frames, text))  # type: ignore[misc]
            for (frames, _), text in zip(requests, texts, strict=True)
        ]
        limits = [limit for _, limit in requests]
        written = list(
            threads.map(lambda one, limit: list(batcher.generate(one, limit, video_prompts.stop_ids)), prompts, limits)
        )
    assert written == expected


def test_a_video_s_memory_is_made_and_read_once(batcher: Batcher, video_prompts: VideoPrompts) -> None:
    reads: list[int] = []
    forward = batcher.visual_vocabulary.embedding.forward
    batcher.visual_vocabulary.embedding.forward = lambda ids: reads.append(ids.numel()) or forward(ids)  # type: ignore[func-returns-value, method-assign]
    list(batcher.generate(video_prompts.prompt(0, 1), 4, video_prompts.stop_ids))
    first = sum(reads)
    list(batcher.generate(video_prompts.prompt(0, 2), 4, video_prompts.stop_ids))
    assert sum(reads) - first < first / 2
    assert video_prompts.prefix_builds == ["film 0"]


def test_the_engine_reads_and_sees_as_ever_while_others_are_decoded(
    batcher: Batcher, video_prompts: VideoPrompts
) -> None:
    expected = video_prompts.generate_alone(0, 1, 30)
    streams = [batcher.generate(video_prompts.prompt(0, question), 400, frozenset()) for question in (3, 4, 5)]
    with ThreadPoolExecutor(3) as threads:
        decoding = [threads.submit(list, stream) for stream in streams]
        for _ in range(8):
            assert video_prompts.generate_alone(0, 1, 30) == expected
        assert [len(one.result()) for one in decoding] == [400] * 3


def test_words_come_one_by_one(batcher: Batcher, video_prompts: VideoPrompts) -> None:
    stream = batcher.generate(video_prompts.prompt(0, 0), 400, frozenset())
    first = next(stream)
    assert batcher._loop is not None
    running = batcher._loop._manager.batch_processor.scheduler.active_requests
    assert len(running) == 1
    assert [first, next(stream), next(stream)] == video_prompts.generate_alone(0, 0, 3)


def test_closing_ends_the_work_and_gives_the_room_back(batcher: Batcher, video_prompts: VideoPrompts) -> None:
    list(batcher.generate(video_prompts.prompt(0, 0), 2, video_prompts.stop_ids))
    free = batcher.visual_vocabulary.free_count
    streams = [batcher.generate(video_prompts.prompt(0, question), 400, frozenset()) for question in (1, 2)]
    for stream in streams:
        next(stream)
    assert batcher.visual_vocabulary.free_count < free
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]
    assert batcher.visual_vocabulary.free_count == free
    assert list(
        batcher.generate(video_prompts.prompt(1, 3), 9, video_prompts.stop_ids)
    ) == video_prompts.generate_alone(1, 3, 9)
    assert batcher._loop is not None
    assert not batcher._loop._manager.batch_processor.scheduler.active_requests
    assert not batcher._loop._inboxes


@pytest.mark.parametrize("error", [RuntimeError("a kernel failed"), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_failing_loop_reaches_all_who_wait_and_is_replaced(
    batcher: Batcher, video_prompts: VideoPrompts, error: Exception
) -> None:
    embedding = batcher.visual_vocabulary.embedding
    real: Callable[[Tensor], Tensor] = embedding.forward
    started = threading.Barrier(4, timeout=TIMEOUT_S)

    def failing(ids: Tensor) -> Tensor:
        if started.n_waiting == 3:
            started.wait()
            raise error
        return real(ids)

    def written(question: int) -> Exception | None:
        stream = batcher.generate(video_prompts.prompt(question % 2, question), 400, frozenset())
        next(stream)
        started.wait()
        try:
            list(stream)
        except (ModelError, torch.OutOfMemoryError) as failure:
            return failure
        return None

    embedding.forward = failing  # type: ignore[method-assign]
    with ThreadPoolExecutor(3) as threads:
        failures = list(threads.map(written, range(3)))
    kind = torch.OutOfMemoryError if isinstance(error, torch.OutOfMemoryError) else ModelError
    assert [type(failure) for failure in failures] == [kind] * 3
    assert all(str(error) in str(failure) for failure in failures)
    embedding.forward = real  # type: ignore[method-assign]
    assert list(
        batcher.generate(video_prompts.prompt(0, 0), 9, video_prompts.stop_ids)
    ) == video_prompts.generate_alone(0, 0, 9)


def test_closing_the_batcher_fails_what_runs_and_leaves_the_model_as_it_was(
    tiny_checkpoint: OneVisionCheckpoint, video_prompts: VideoPrompts
) -> None:
    words, attention = tiny_checkpoint.model.get_input_embeddings(), tiny_checkpoint.model.config._attn_implementation
    expected = video_prompts.generate_alone(0, 1, 12)
    batcher = Batcher(tiny_checkpoint, 2, MAX_TOKENS)
    stream = batcher.generate(video_prompts.prompt(0, 1), 400, frozenset())
    assert next(stream) == expected[0]
    assert video_prompts.generate_alone(0, 1, 12) == expected
    batcher.close()
    with pytest.raises(ModelError, match="several questions at once"):
        list(stream)
    with pytest.raises(ModelError, match="closed"):
        next(batcher.generate(video_prompts.prompt(0, 1), 4, video_prompts.stop_ids))
    batcher.close()
    assert not hasattr(tiny_checkpoint.model.config, "is_causal")
    assert tiny_checkpoint.model.get_input_embeddings() is words
    assert tiny_checkpoint.model.config._attn_implementation == attention
    assert video_prompts.generate_alone(0, 1, 12) == expected
    assert not [thread for thread in threading.enumerate() if thread.name == "afterimage-batch-post"]


def test_what_is_stored_is_bounded_and_kept_memories_are_the_latest(
    tiny_checkpoint: OneVisionCheckpoint, video_prompts: VideoPrompts
) -> None:
    batcher = Batcher(tiny_checkpoint, 1, MAX_TOKENS)
    room = batcher.visual_vocabulary.free_count
    for film in (*range(24), 23, 22):
        list(batcher.generate(video_prompts.prompt(film, 0), 2, video_prompts.stop_ids))
        assert 0 < len(batcher._prefixes) <= 16
    assert video_prompts.prefix_builds == [f"film {film}" for film in range(24)]
    kept = sum(
        one >= batcher.visual_vocabulary.embedding.first_visual_id
        for kept in batcher._prefixes.values()
        for one in kept.ids
    )
    assert batcher.visual_vocabulary.free_count == room - kept
    assert list(batcher._prefixes)[-2:] == ["film 23", "film 22"]
    assert list(
        batcher.generate(video_prompts.prompt(0, 3), 9, video_prompts.stop_ids)
    ) == video_prompts.generate_alone(0, 3, 9)
    batcher.close()


def test_a_prompt_that_is_too_long_or_cannot_be_made_is_refused_and_leaves_nothing(
    batcher: Batcher, video_prompts: VideoPrompts
) -> None:
    free = batcher.visual_vocabulary.free_count

    def broken() -> list[PromptPart]:
        raise ValueError("no picture")

    long: list[TokenIds] = [tuple(range(9)) * 105]
    for own, limit in ((lambda: long, 1), (lambda: video_prompts.suffix_parts(1), MAX_TOKENS), (broken, 4)):
        with pytest.raises((ModelError, ValueError), match=r"more than 900|no picture"):
            list(batcher.generate(BatchPrompt("", list, own), limit, video_prompts.stop_ids))  # type: ignore[arg-type]
    assert batcher.visual_vocabulary.free_count == free
    assert generate_together(batcher, video_prompts, REQUESTS[:3]) == [
        video_prompts.generate_alone(*one) for one in REQUESTS[:3]
    ]


def test_no_two_tokens_share_an_id_and_words_stay_words(tiny_checkpoint: OneVisionCheckpoint) -> None:
    words = tiny_checkpoint.model.get_input_embeddings()
    store = VisualVocabulary(words, 7)
    used_ids: set[int] = set()
    for count in (3, 7, 1, 5, 6, 2):
        tokens = torch.randn(count, words.weight.shape[1])
        ids = store.add(tokens)
        assert not used_ids & set(ids)
        used_ids |= set(ids)
        found = store.embedding(torch.tensor([[4, *ids, 9]], dtype=torch.int32))
        assert torch.equal(found[0, 1:-1], tokens)
        assert torch.equal(found[0, [0, -1]], words(torch.tensor([4, 9])))
        with pytest.raises(ModelError, match=f"room for {7 - count}"):
            store.add(torch.zeros(8, words.weight.shape[1]))
        store.release([4, *ids, 9])
    assert store.free_count == 7
    assert max(used_ids) < 2**31


def test_answers_of_several_threads_are_those_of_one_after_the_other(tiny_model_folder: Path) -> None:
    alone = make_generator(tiny_model_folder)
    several = OneVisionGenerator(
        f"local-dir:{tiny_model_folder}",
        PICTURES.__getitem__,
        max_prompt_tokens=BUDGET,
        max_output_tokens=MAX_NEW_TOKENS,
        prefix_cache_mb=8,
        max_batch=3,
    )
    requests = [(f"What{' then' * n}?", [make_evidence("F1", n), *make_slots(6 + n % 2, seed=n % 2)]) for n in range(6)]
    expected = ["".join(alone._stream_text(*one, {})) for one in requests]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda one: "".join(several._stream_text(*one, {})), requests)) == expected
        drafts = [list(alone.answer(*one)) for one in requests]
        assert list(threads.map(lambda one: list(several.answer(*one)), requests)) == drafts
    stream = several._stream_text(*requests[0], {})
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert "".join(several._stream_text(*requests[1], {})) == expected[1]
    several.close()
    alone.close()


def test_where_memory_runs_out_several_questions_halve_the_budget_once(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batched = OneVisionGenerator(
        f"local-dir:{tiny_model_folder}",
        PICTURES.__getitem__,
        max_prompt_tokens=BUDGET,
        max_output_tokens=MAX_NEW_TOKENS,
        prefix_cache_mb=8,
        max_batch=3,
    )
    model = batched._batcher._checkpoint.model
    forward = model.forward

    def short_of_memory(*args: object, **kwargs: object) -> object:
        if batched._max_prompt_tokens == BUDGET:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", short_of_memory)
    requests = [(f"What{' then' * n}?", make_slots(6, seed=n % 2)) for n in range(3)]
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda one: "".join(batched._stream_text(*one, {})), requests))
    assert caplog.text.count("out of GPU memory") == 1
    assert batched._max_prompt_tokens == BUDGET // 2
    alone = make_generator(tiny_model_folder, max_prompt_tokens=BUDGET // 2)
    assert answers == ["".join(alone._stream_text(*one, {})) for one in requests]
    batched.close()
