"""Visual tokens that were computed before are read as pixels are: the same logits, to 1e-5 in float32.

The reference is the model's own forward on pixels, by its own processor.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.generators.onevision.checkpoint import Checkpoint
from services.generators.onevision.engine import Engine, Part
from services.generators.onevision.vision import Vision
from services.generators.onevision.words import Words

CLOSE = 1e-5


def pictures(count: int, height: int = 40, width: int = 64, seed: int = 0) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (count, height // 8, width // 8, 3), np.uint8)
    return list(coarse.repeat(8, 1).repeat(8, 2))


def parts_of_video(tiny: Checkpoint, frames: list[NDArray[np.uint8]], words: Words) -> list[Part]:
    """A video as the model's own template lays it out: all frames, a newline, words."""
    vision = Vision(tiny)
    tokens = torch.cat([*vision.frames(frames, 196), vision.newline])
    return [words.ruling("<|im_start|>user\n"), tokens, words.ruling("What is that?<|im_end|>")]


def logits_of_pixels(tiny: Checkpoint, text: str, **media: object) -> Tensor:
    inputs = tiny.processor(text=text, return_tensors="pt", **media)
    with torch.inference_mode():
        return torch.as_tensor(tiny.model(**inputs).logits[0, -1])


@pytest.mark.parametrize("count", [1, 2, 16, 64])
def test_frames_give_the_logits_of_a_video(tiny: Checkpoint, count: int) -> None:
    frames = pictures(count)
    text = "<|im_start|>user\n<video>What is that?<|im_end|>"
    wanted = logits_of_pixels(tiny, text, videos=[np.stack(frames)])
    engine = Engine(tiny)
    parts = parts_of_video(tiny, frames, Words(tiny.processor.tokenizer))
    assert torch.allclose(engine.read(parts, engine.fresh()), wanted, atol=CLOSE, rtol=0)
    others = parts_of_video(tiny, pictures(count, seed=9), Words(tiny.processor.tokenizer))
    assert (engine.read(others, engine.fresh()) - wanted).abs().max() > 100 * CLOSE


def test_text_may_stand_between_the_frames(tiny: Checkpoint) -> None:
    words, vision, engine = Words(tiny.processor.tokenizer), Vision(tiny), Engine(tiny)
    first, second = pictures(2)
    text = "<|im_start|>user\n[F1 00:00:01]<video>\n[F2 00:00:09]<video>\nWhich came first?<|im_end|>"
    wanted = logits_of_pixels(tiny, text, videos=[first[None], second[None]])
    one, other = vision.frames([first, second], 196)
    parts: list[Part] = [
        words.ruling("<|im_start|>user\n[F1 00:00:01]"),
        torch.cat([one, vision.newline]),
        words.plain("\n[F2 00:00:09]"),
        torch.cat([other, vision.newline]),
        words.ruling("\nWhich came first?<|im_end|>"),
    ]
    assert torch.allclose(engine.read(parts, engine.fresh()), wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("size", [(56, 56), (40, 64), (168, 96), (30, 200), (500, 90)])
def test_one_image_gives_the_logits_of_its_tiles(tiny: Checkpoint, size: tuple[int, int]) -> None:
    words, vision, engine = Words(tiny.processor.tokenizer), Vision(tiny), Engine(tiny)
    (picture,) = pictures(1, *size)
    wanted = logits_of_pixels(tiny, "<image>What is that?<|im_end|>", images=picture)
    tokens = vision.image(picture)
    assert len(tokens) == vision.image_tokens(*picture.shape[:2])
    parts: list[Part] = [tokens, words.ruling("What is that?<|im_end|>")]
    assert torch.allclose(engine.read(parts, engine.fresh()), wanted, atol=CLOSE, rtol=0)


def test_several_images_give_the_logits_of_their_views(tiny: Checkpoint) -> None:
    words, vision, engine = Words(tiny.processor.tokenizer), Vision(tiny), Engine(tiny)
    some = [*pictures(2), *pictures(1, 96, 40, seed=1)]
    wanted = logits_of_pixels(tiny, "<image> and <image> and <image> differ<|im_end|>", images=[some])
    one, two, three = vision.views(some)
    assert {len(one), len(two), len(three)} == {vision.view_tokens}
    parts: list[Part] = [one, words.plain(" and "), two, words.plain(" and "), three]
    parts.append(words.ruling(" differ<|im_end|>"))
    assert torch.allclose(engine.read(parts, engine.fresh()), wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("chunk", [1, 7, 64, 10_000])
def test_reading_in_chunks_gives_the_same(tiny: Checkpoint, chunk: int) -> None:
    parts = parts_of_video(tiny, pictures(5), Words(tiny.processor.tokenizer))
    whole, chunked = Engine(tiny, 1 << 20), Engine(tiny, chunk)
    wanted = whole.read(parts, whole.fresh())
    assert torch.allclose(chunked.read(parts, chunked.fresh()), wanted, atol=CLOSE, rtol=0)


def test_prompts_of_different_lengths_can_be_read_together(tiny: Checkpoint) -> None:
    words, engine = Words(tiny.processor.tokenizer), Engine(tiny)
    prompts = [parts_of_video(tiny, pictures(count), words) for count in (1, 5, 3)]
    together = engine.next_logits(prompts)
    alone = torch.stack([engine.read(parts, engine.fresh()) for parts in prompts])
    assert torch.allclose(together, alone, atol=CLOSE, rtol=0)


def test_a_prefix_read_before_gives_the_same_as_none_and_can_be_used_again(tiny: Checkpoint) -> None:
    words, engine = Words(tiny.processor.tokenizer), Engine(tiny)
    opening, tokens, _ = parts_of_video(tiny, pictures(6), words)
    prefix = engine.fresh()
    engine.read([opening, tokens], prefix)
    kept = prefix.tokens
    for question in ("What is that?", "And when, and where, and why?", "What is that?"):
        closing = words.plain(question)
        wanted = engine.read([opening, tokens, closing], engine.fresh())
        assert torch.allclose(engine.read([closing], prefix), wanted, atol=CLOSE, rtol=0)
        engine.rewind(prefix, kept)
        assert prefix.tokens == kept


@pytest.mark.parametrize(("dtype", "most"), [(torch.float16, 2e-3), (torch.float32, CLOSE)])
def test_stored_tokens_lose_little(tiny: Checkpoint, dtype: torch.dtype, most: float) -> None:
    engine = Engine(tiny)
    opening, tokens, closing = parts_of_video(tiny, pictures(6), Words(tiny.processor.tokenizer))
    assert isinstance(tokens, Tensor)
    wanted = engine.read([opening, tokens, closing], engine.fresh())
    stored = engine.read([opening, tokens.to(dtype), closing], engine.fresh())
    assert (stored - wanted).abs().max() < most


def test_writing_is_what_the_model_itself_generates(tiny: Checkpoint) -> None:
    frames = pictures(4)
    inputs = tiny.processor(text="<video>Say it!<|im_end|>", videos=[np.stack(frames)], return_tensors="pt")
    generated = tiny.model.generate(**inputs, max_new_tokens=24, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    words, vision, engine = Words(tiny.processor.tokenizer), Vision(tiny), Engine(tiny)
    parts: list[Part] = [torch.cat([*vision.frames(frames, 196), vision.newline]), words.ruling("Say it!<|im_end|>")]
    ends = frozenset([tiny.model.generation_config.eos_token_id])
    written = list(engine.write(parts, engine.fresh(), 24, ends))
    assert written == [one for one in generated.tolist() if one not in ends]


@pytest.mark.parametrize(("tokens", "given"), [(1, 1), (2, 2), (3, 2), (4, 4), (196, 4)])
def test_a_frame_has_as_many_tokens_as_it_may(tiny: Checkpoint, tokens: int, given: int) -> None:
    vision = Vision(tiny)
    assert vision.count(tokens) == given
    assert [len(frame) for frame in vision.frames(pictures(3), tokens)] == [given] * 3
