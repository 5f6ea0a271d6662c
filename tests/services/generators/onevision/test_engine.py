"""Visual tokens that were computed before are read as pixels are: the same logits, to 1e-5 in float32.

The reference is the model's own forward on pixels, by its own processor.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.generators.onevision.checkpoint import OneVisionCheckpoint
from services.generators.onevision.engine import Engine, PromptPart
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import VisionEncoder
from tests.support.onevision_fixtures import make_pictures

TOLERANCE = 1e-5


def video_parts(
    tiny_checkpoint: OneVisionCheckpoint, frames: list[NDArray[np.uint8]], words: PromptTokenizer
) -> list[PromptPart]:
    """A video as the model's own template lays it out: all frames, a newline, words."""
    vision = VisionEncoder(tiny_checkpoint)
    tokens = torch.cat([*vision.encode_frames(frames, 196), vision.newline_token])
    return [words.encode_trusted("<|im_start|>user\n"), tokens, words.encode_trusted("What is that?<|im_end|>")]


def pixel_logits(tiny_checkpoint: OneVisionCheckpoint, text: str, **media: object) -> Tensor:
    inputs = tiny_checkpoint.processor(text=text, return_tensors="pt", **media)
    with torch.inference_mode():
        return torch.as_tensor(tiny_checkpoint.model(**inputs).logits[0, -1])


@pytest.mark.parametrize("count", [1, 2, 16, 64])
def test_frames_give_the_logits_of_a_video(tiny_checkpoint: OneVisionCheckpoint, count: int) -> None:
    frames = make_pictures(count)
    text = "<|im_start|>user\n<video>What is that?<|im_end|>"
    expected = pixel_logits(tiny_checkpoint, text, videos=[np.stack(frames)])
    engine = Engine(tiny_checkpoint)
    parts = video_parts(tiny_checkpoint, frames, PromptTokenizer(tiny_checkpoint.processor.tokenizer))
    assert torch.allclose(engine.prefill(parts, engine.new_prefix()), expected, atol=TOLERANCE, rtol=0)
    others = video_parts(
        tiny_checkpoint, make_pictures(count, seed=9), PromptTokenizer(tiny_checkpoint.processor.tokenizer)
    )
    assert (engine.prefill(others, engine.new_prefix()) - expected).abs().max() > 100 * TOLERANCE


def test_text_may_stand_between_the_frames(tiny_checkpoint: OneVisionCheckpoint) -> None:
    words, vision, engine = (
        PromptTokenizer(tiny_checkpoint.processor.tokenizer),
        VisionEncoder(tiny_checkpoint),
        Engine(tiny_checkpoint),
    )
    first, second = make_pictures(2)
    text = "<|im_start|>user\n[F1 00:00:01]<video>\n[F2 00:00:09]<video>\nWhich came first?<|im_end|>"
    expected = pixel_logits(tiny_checkpoint, text, videos=[first[None], second[None]])
    first_tokens, second_tokens = vision.encode_frames([first, second], 196)
    parts: list[PromptPart] = [
        words.encode_trusted("<|im_start|>user\n[F1 00:00:01]"),
        torch.cat([first_tokens, vision.newline_token]),
        words.encode_untrusted("\n[F2 00:00:09]"),
        torch.cat([second_tokens, vision.newline_token]),
        words.encode_trusted("\nWhich came first?<|im_end|>"),
    ]
    assert torch.allclose(engine.prefill(parts, engine.new_prefix()), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("size", [(56, 56), (40, 64), (168, 96), (30, 200), (500, 90)])
def test_one_image_gives_the_logits_of_its_tiles(tiny_checkpoint: OneVisionCheckpoint, size: tuple[int, int]) -> None:
    words, vision, engine = (
        PromptTokenizer(tiny_checkpoint.processor.tokenizer),
        VisionEncoder(tiny_checkpoint),
        Engine(tiny_checkpoint),
    )
    (picture,) = make_pictures(1, *size)
    expected = pixel_logits(tiny_checkpoint, "<image>What is that?<|im_end|>", images=picture)
    tokens = vision.encode_image(picture)
    assert len(tokens) == vision.count_image_tokens(*picture.shape[:2])
    parts: list[PromptPart] = [tokens, words.encode_trusted("What is that?<|im_end|>")]
    assert torch.allclose(engine.prefill(parts, engine.new_prefix()), expected, atol=TOLERANCE, rtol=0)


def test_several_images_give_the_logits_of_their_views(tiny_checkpoint: OneVisionCheckpoint) -> None:
    words, vision, engine = (
        PromptTokenizer(tiny_checkpoint.processor.tokenizer),
        VisionEncoder(tiny_checkpoint),
        Engine(tiny_checkpoint),
    )
    images = [*make_pictures(2), *make_pictures(1, 96, 40, seed=1)]
    expected = pixel_logits(tiny_checkpoint, "<image> and <image> and <image> differ<|im_end|>", images=[images])
    first, second, third = vision.encode_views(images)
    assert {len(first), len(second), len(third)} == {vision.view_tokens}
    parts: list[PromptPart] = [first, words.encode_untrusted(" and "), second, words.encode_untrusted(" and "), third]
    parts.append(words.encode_trusted(" differ<|im_end|>"))
    assert torch.allclose(engine.prefill(parts, engine.new_prefix()), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("chunk", [1, 7, 64, 10_000])
def test_reading_in_chunks_gives_the_same(tiny_checkpoint: OneVisionCheckpoint, chunk: int) -> None:
    parts = video_parts(tiny_checkpoint, make_pictures(5), PromptTokenizer(tiny_checkpoint.processor.tokenizer))
    whole, chunked = Engine(tiny_checkpoint, 1 << 20), Engine(tiny_checkpoint, chunk)
    expected = whole.prefill(parts, whole.new_prefix())
    assert torch.allclose(chunked.prefill(parts, chunked.new_prefix()), expected, atol=TOLERANCE, rtol=0)


def test_prompts_of_different_lengths_can_be_read_together(tiny_checkpoint: OneVisionCheckpoint) -> None:
    words, engine = PromptTokenizer(tiny_checkpoint.processor.tokenizer), Engine(tiny_checkpoint)
    prompts = [video_parts(tiny_checkpoint, make_pictures(count), words) for count in (1, 5, 3)]
    together = engine.next_logits(prompts)
    alone = torch.stack([engine.prefill(parts, engine.new_prefix()) for parts in prompts])
    assert torch.allclose(together, alone, atol=TOLERANCE, rtol=0)


def test_a_prefix_read_before_gives_the_same_as_none_and_can_be_used_again(
    tiny_checkpoint: OneVisionCheckpoint,
) -> None:
    words, engine = PromptTokenizer(tiny_checkpoint.processor.tokenizer), Engine(tiny_checkpoint)
    opening, tokens, _ = video_parts(tiny_checkpoint, make_pictures(6), words)
    prefix = engine.new_prefix()
    engine.prefill([opening, tokens], prefix)
    prefix_tokens = prefix.token_count
    for question in ("What is that?", "And when, and where, and why?", "What is that?"):
        closing = words.encode_untrusted(question)
        expected = engine.prefill([opening, tokens, closing], engine.new_prefix())
        assert torch.allclose(engine.prefill([closing], prefix), expected, atol=TOLERANCE, rtol=0)
        engine.truncate(prefix, prefix_tokens)
        assert prefix.token_count == prefix_tokens


@pytest.mark.parametrize(("dtype", "max_error"), [(torch.float16, 2e-3), (torch.float32, TOLERANCE)])
def test_stored_tokens_lose_little(tiny_checkpoint: OneVisionCheckpoint, dtype: torch.dtype, max_error: float) -> None:
    engine = Engine(tiny_checkpoint)
    opening, tokens, closing = video_parts(
        tiny_checkpoint, make_pictures(6), PromptTokenizer(tiny_checkpoint.processor.tokenizer)
    )
    assert isinstance(tokens, Tensor)
    expected = engine.prefill([opening, tokens, closing], engine.new_prefix())
    stored = engine.prefill([opening, tokens.to(dtype), closing], engine.new_prefix())
    assert (stored - expected).abs().max() < max_error


def test_writing_is_what_the_model_itself_generates(tiny_checkpoint: OneVisionCheckpoint) -> None:
    frames = make_pictures(4)
    inputs = tiny_checkpoint.processor(text="<video>Say it!<|im_end|>", videos=[np.stack(frames)], return_tensors="pt")
    generated = tiny_checkpoint.model.generate(**inputs, max_new_tokens=24, do_sample=False)[
        0, inputs["input_ids"].shape[1] :
    ]
    words, vision, engine = (
        PromptTokenizer(tiny_checkpoint.processor.tokenizer),
        VisionEncoder(tiny_checkpoint),
        Engine(tiny_checkpoint),
    )
    parts: list[PromptPart] = [
        torch.cat([*vision.encode_frames(frames, 196), vision.newline_token]),
        words.encode_trusted("Say it!<|im_end|>"),
    ]
    ends = frozenset([tiny_checkpoint.model.generation_config.eos_token_id])
    written = list(engine.generate(parts, engine.new_prefix(), 24, ends))
    assert written == [one for one in generated.tolist() if one not in ends]


@pytest.mark.parametrize(("tokens", "expected_count"), [(1, 1), (2, 2), (3, 2), (4, 4), (196, 4)])
def test_a_frame_has_as_many_tokens_as_it_may(
    tiny_checkpoint: OneVisionCheckpoint, tokens: int, expected_count: int
) -> None:
    vision = VisionEncoder(tiny_checkpoint)
    assert vision.count_frame_tokens(tokens) == expected_count
    assert [len(frame) for frame in vision.encode_frames(make_pictures(3), tokens)] == [expected_count] * 3
