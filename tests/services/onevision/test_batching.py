"""Several prompts decoded together give what each gives alone; whatever goes wrong, nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from test_generator import BUDGET, LIMIT, PICTURES, generator, memory, piece
from test_injection import pictures
from torch import Tensor

from indexer.errors import ModelError
from services.generators.onevision.batching import Batcher, BatchPrompt
from services.generators.onevision.checkpoint import OneVisionCheckpoint
from services.generators.onevision.engine import Engine, PromptPart, TokenIds
from services.generators.onevision.generator import OneVisionGenerator
from services.generators.onevision.vision import VisionEncoder
from services.generators.onevision.visuals import VisualVocabulary
from services.generators.onevision.words import PromptTokenizer

LONGEST = 900


@pytest.fixture
def batcher(tiny: OneVisionCheckpoint) -> Iterator[Batcher]:
    made = Batcher(tiny, 3, LONGEST, cache_bytes=8 << 20, chunk_tokens=128)
    yield made
    made.close()


class Films:
    """Prompts about two videos, each with a memory of its own, and what the engine alone writes for them."""

    def __init__(self, tiny: OneVisionCheckpoint) -> None:
        self.engine, self.words, self.vision = (
            Engine(tiny),
            PromptTokenizer(tiny.processor.tokenizer),
            VisionEncoder(tiny),
        )
        stops = tiny.model.generation_config.eos_token_id
        self.ends = frozenset([stops])
        self.made: list[str] = []

    def shared(self, film: int) -> list[PromptPart]:
        self.made.append(f"film {film}")
        slots = torch.cat([*self.vision.encode_frames(pictures(40 + film, seed=film), 196), self.vision.newline_token])
        return [self.words.encode_trusted("<|im_start|>user\n[M1]"), slots]

    def own(self, question: int) -> list[PromptPart]:
        frames = self.vision.encode_frames(pictures(1 + question % 3, seed=90 + question), 196)
        words = self.words.encode_trusted(f"What is that{' really' * question}?<|im_end|>\n")
        return [self.words.encode_untrusted("[F1]"), torch.cat(frames), words]

    def prompt(self, film: int, question: int) -> BatchPrompt:
        return BatchPrompt(f"film {film}", lambda: self.shared(film), lambda: self.own(question))

    def alone(self, film: int, question: int, limit: int) -> list[int]:
        parts = [*self.shared(film), *self.own(question)]
        return list(self.engine.generate(parts, self.engine.new_prefix(), limit, self.ends))


@pytest.fixture
def films(tiny: OneVisionCheckpoint) -> Films:
    return Films(tiny)


ASKED = [(0, 0, 24), (1, 1, 7), (0, 5, 30), (1, 9, 12), (0, 2, 1), (1, 0, 24), (0, 14, 18), (1, 3, 24)]


def together(batcher: Batcher, films: Films, asked: list[tuple[int, int, int]]) -> list[list[int]]:
    def written(one: tuple[int, int, int]) -> list[int]:
        film, question, limit = one
        return list(batcher.generate(films.prompt(film, question), limit, films.ends))

    with ThreadPoolExecutor(len(asked)) as threads:
        return list(threads.map(written, asked))


def test_together_is_what_each_is_alone(batcher: Batcher, films: Films) -> None:
    wanted = [films.alone(*one) for one in ASKED]
    assert len({tuple(one) for one in wanted}) > 4
    assert together(batcher, films, ASKED) == wanted


def test_together_is_what_the_model_itself_generates(batcher: Batcher, films: Films, tiny: OneVisionCheckpoint) -> None:
    asked = [(frames, 6 * frames) for frames in (1, 4, 2)]
    texts = [f"<video>Say{' it' * frames}!<|im_end|>" for frames, _ in asked]
    wanted = []
    for (frames, limit), text in zip(asked, texts, strict=True):
        inputs = tiny.processor(text=text, videos=[np.stack(pictures(frames))], return_tensors="pt")
        out = tiny.model.generate(**inputs, max_new_tokens=limit, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        wanted.append([one for one in out.tolist() if one not in films.ends])

    def own(frames: int, text: str) -> list[PromptPart]:
        tokens = torch.cat([*films.vision.encode_frames(pictures(frames), 196), films.vision.newline_token])
        return [tokens, films.words.encode_trusted(text.removeprefix("<video>"))]

    with ThreadPoolExecutor(3) as threads:
        prompts = [
            BatchPrompt("", list, lambda frames=frames, text=text: own(frames, text))  # type: ignore[misc]
            for (frames, _), text in zip(asked, texts, strict=True)
        ]
        limits = [limit for _, limit in asked]
        written = list(threads.map(lambda one, limit: list(batcher.generate(one, limit, films.ends)), prompts, limits))
    assert written == wanted


def test_a_video_s_memory_is_made_and_read_once(batcher: Batcher, films: Films) -> None:
    reads: list[int] = []
    forward = batcher.visual_vocabulary.embedding.forward
    batcher.visual_vocabulary.embedding.forward = lambda ids: reads.append(ids.numel()) or forward(ids)  # type: ignore[func-returns-value, method-assign]
    list(batcher.generate(films.prompt(0, 1), 4, films.ends))
    first = sum(reads)
    list(batcher.generate(films.prompt(0, 2), 4, films.ends))
    assert sum(reads) - first < first / 2
    assert films.made == ["film 0"]


def test_the_engine_reads_and_sees_as_ever_while_others_are_decoded(batcher: Batcher, films: Films) -> None:
    wanted = films.alone(0, 1, 30)
    streams = [batcher.generate(films.prompt(0, question), 400, frozenset()) for question in (3, 4, 5)]
    with ThreadPoolExecutor(3) as threads:
        decoding = [threads.submit(list, stream) for stream in streams]
        for _ in range(8):
            assert films.alone(0, 1, 30) == wanted
        assert [len(one.result()) for one in decoding] == [400] * 3


def test_words_come_one_by_one(batcher: Batcher, films: Films) -> None:
    stream = batcher.generate(films.prompt(0, 0), 400, frozenset())
    first = next(stream)
    assert batcher._loop is not None
    running = batcher._loop._manager.batch_processor.scheduler.active_requests
    assert len(running) == 1
    assert [first, next(stream), next(stream)] == films.alone(0, 0, 3)


def test_closing_ends_the_work_and_gives_the_room_back(batcher: Batcher, films: Films) -> None:
    list(batcher.generate(films.prompt(0, 0), 2, films.ends))
    free = batcher.visual_vocabulary.free_count
    streams = [batcher.generate(films.prompt(0, question), 400, frozenset()) for question in (1, 2)]
    for stream in streams:
        next(stream)
    assert batcher.visual_vocabulary.free_count < free
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]
    assert batcher.visual_vocabulary.free_count == free
    assert list(batcher.generate(films.prompt(1, 3), 9, films.ends)) == films.alone(1, 3, 9)
    assert batcher._loop is not None
    assert not batcher._loop._manager.batch_processor.scheduler.active_requests
    assert not batcher._loop._inboxes


@pytest.mark.parametrize("error", [RuntimeError("a kernel failed"), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_failing_loop_reaches_all_who_wait_and_is_replaced(batcher: Batcher, films: Films, error: Exception) -> None:
    embedding = batcher.visual_vocabulary.embedding
    real: Callable[[Tensor], Tensor] = embedding.forward
    started = threading.Barrier(4, timeout=20)

    def failing(ids: Tensor) -> Tensor:
        if started.n_waiting == 3:
            started.wait()
            raise error
        return real(ids)

    def written(question: int) -> Exception | None:
        stream = batcher.generate(films.prompt(question % 2, question), 400, frozenset())
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
    assert list(batcher.generate(films.prompt(0, 0), 9, films.ends)) == films.alone(0, 0, 9)


def test_closing_the_batcher_fails_what_runs_and_leaves_the_model_as_it_was(
    tiny: OneVisionCheckpoint, films: Films
) -> None:
    words, attention = tiny.model.get_input_embeddings(), tiny.model.config._attn_implementation
    wanted = films.alone(0, 1, 12)
    batcher = Batcher(tiny, 2, LONGEST)
    stream = batcher.generate(films.prompt(0, 1), 400, frozenset())
    assert next(stream) == wanted[0]
    assert films.alone(0, 1, 12) == wanted
    batcher.close()
    with pytest.raises(ModelError, match="several questions at once"):
        list(stream)
    with pytest.raises(ModelError, match="closed"):
        next(batcher.generate(films.prompt(0, 1), 4, films.ends))
    batcher.close()
    assert not hasattr(tiny.model.config, "is_causal")
    assert tiny.model.get_input_embeddings() is words
    assert tiny.model.config._attn_implementation == attention
    assert films.alone(0, 1, 12) == wanted
    assert not [thread for thread in threading.enumerate() if thread.name == "afterimage-batch-post"]


def test_what_is_stored_is_bounded_and_kept_memories_are_the_latest(tiny: OneVisionCheckpoint, films: Films) -> None:
    batcher = Batcher(tiny, 1, LONGEST)
    room = batcher.visual_vocabulary.free_count
    for film in (*range(24), 23, 22):
        list(batcher.generate(films.prompt(film, 0), 2, films.ends))
        assert 0 < len(batcher._prefixes) <= 16
    assert films.made == [f"film {film}" for film in range(24)]
    kept = sum(
        one >= batcher.visual_vocabulary.embedding.first_visual_id
        for kept in batcher._prefixes.values()
        for one in kept.ids
    )
    assert batcher.visual_vocabulary.free_count == room - kept
    assert list(batcher._prefixes)[-2:] == ["film 23", "film 22"]
    assert list(batcher.generate(films.prompt(0, 3), 9, films.ends)) == films.alone(0, 3, 9)
    batcher.close()


def test_a_prompt_that_is_too_long_or_cannot_be_made_is_refused_and_leaves_nothing(
    batcher: Batcher, films: Films
) -> None:
    free = batcher.visual_vocabulary.free_count

    def broken() -> list[PromptPart]:
        raise ValueError("no picture")

    long: list[TokenIds] = [tuple(range(9)) * 105]
    for own, limit in ((lambda: long, 1), (lambda: films.own(1), LONGEST), (broken, 4)):
        with pytest.raises((ModelError, ValueError), match=r"more than 900|no picture"):
            list(batcher.generate(BatchPrompt("", list, own), limit, films.ends))  # type: ignore[arg-type]
    assert batcher.visual_vocabulary.free_count == free
    assert together(batcher, films, ASKED[:3]) == [films.alone(*one) for one in ASKED[:3]]


def test_no_two_tokens_share_an_id_and_words_stay_words(tiny: OneVisionCheckpoint) -> None:
    words = tiny.model.get_input_embeddings()
    store = VisualVocabulary(words, 7)
    seen: set[int] = set()
    for count in (3, 7, 1, 5, 6, 2):
        tokens = torch.randn(count, words.weight.shape[1])
        ids = store.add(tokens)
        assert not seen & set(ids)
        seen |= set(ids)
        found = store.embedding(torch.tensor([[4, *ids, 9]], dtype=torch.int32))
        assert torch.equal(found[0, 1:-1], tokens)
        assert torch.equal(found[0, [0, -1]], words(torch.tensor([4, 9])))
        with pytest.raises(ModelError, match=f"room for {7 - count}"):
            store.add(torch.zeros(8, words.weight.shape[1]))
        store.release([4, *ids, 9])
    assert store.free_count == 7
    assert max(seen) < 2**31


def test_answers_of_several_threads_are_those_of_one_after_the_other(tiny_folder: Path) -> None:
    alone = generator(tiny_folder)
    several = OneVisionGenerator(
        f"local-dir:{tiny_folder}",
        PICTURES.__getitem__,
        max_prompt_tokens=BUDGET,
        max_output_tokens=LIMIT,
        prefix_cache_mb=8,
        max_batch=3,
    )
    asked = [(f"What{' then' * n}?", [piece("F1", n), *memory(6 + n % 2, seed=n % 2)]) for n in range(6)]
    wanted = ["".join(alone._stream_text(*one, {})) for one in asked]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda one: "".join(several._stream_text(*one, {})), asked)) == wanted
        drafts = [list(alone.answer(*one)) for one in asked]
        assert list(threads.map(lambda one: list(several.answer(*one)), asked)) == drafts
    stream = several._stream_text(*asked[0], {})
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert "".join(several._stream_text(*asked[1], {})) == wanted[1]
    several.close()
    alone.close()


def test_where_memory_runs_out_several_questions_halve_the_budget_once(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = OneVisionGenerator(
        f"local-dir:{tiny_folder}",
        PICTURES.__getitem__,
        max_prompt_tokens=BUDGET,
        max_output_tokens=LIMIT,
        prefix_cache_mb=8,
        max_batch=3,
    )
    model = made._batcher._checkpoint.model
    forward = model.forward

    def short_of_memory(*args: object, **kwargs: object) -> object:
        if made._max_prompt_tokens == BUDGET:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", short_of_memory)
    asked = [(f"What{' then' * n}?", memory(6, seed=n % 2)) for n in range(3)]
    with ThreadPoolExecutor(3) as threads:
        said = list(threads.map(lambda one: "".join(made._stream_text(*one, {})), asked))
    assert caplog.text.count("out of GPU memory") == 1
    assert made._max_prompt_tokens == BUDGET // 2
    alone = generator(tiny_folder, max_prompt_tokens=BUDGET // 2)
    assert said == ["".join(alone._stream_text(*one, {})) for one in asked]
    made.close()
