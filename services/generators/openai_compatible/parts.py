"""A request as vLLM's chat completions take it: text, one video of JPEGs, pictures, memory tokens.

Forms: docs.vllm.ai, "Multimodal Inputs", online serving. `uuid` names the content, so that the server does not process
it again.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias, TypedDict

import numpy as np

from indexer.errors import ModelError
from indexer.media.jpeg import of_one_size
from indexer.types import PictureRef
from memory.types import Tokens
from services.generators.openai_compatible.choosing import Chosen, Shown, text_of
from services.generators.openai_compatible.limits import FRAMES
from services.generators.wording import SYSTEM, without_tokens

Pictures = Callable[[PictureRef], bytes]
"""The stored JPEG of a reference."""


class Url(TypedDict):
    """Media inside the request: a `data:` address."""

    url: str


class TextPart(TypedDict):
    """Words."""

    type: Literal["text"]
    text: str


class ImagePart(TypedDict):
    """A picture."""

    type: Literal["image_url"]
    image_url: Url
    uuid: str


class VideoPart(TypedDict):
    """Frames as a list of JPEGs."""

    type: Literal["video_url"]
    video_url: Url
    uuid: str


class EmbedsPart(TypedDict):
    """Visual tokens, `[n, hidden]`, as a saved tensor."""

    type: Literal["image_embeds"]
    image_embeds: str
    uuid: str


Part: TypeAlias = TextPart | ImagePart | VideoPart | EmbedsPart


class Message(TypedDict):
    """What the system or the user says."""

    role: Literal["system", "user"]
    content: str | list[Part]


def messages(chosen: Chosen, question: str, pictures: Pictures) -> list[Message]:
    """The instructions, then memory, frames, pictures, texts and, last, the question. ArtifactError, ModelError."""
    content = [
        *_memory(chosen),
        *_video(chosen, pictures),
        *_images(chosen, pictures),
        *(_text(text_of(one, chosen.header[one.id])) for one in chosen.texts),
        _text(without_tokens(question)),
    ]
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]


def _memory(chosen: Chosen) -> Iterator[Part]:
    for slot in chosen.tokens:
        if slot.tokens is not None:
            yield _text(chosen.header[slot.id])
            yield _embeds(slot.id, slot.tokens)


def _video(chosen: Chosen, pictures: Pictures) -> Iterator[Part]:
    frames = [*chosen.memory, *chosen.frames]
    if not frames:
        return
    listed = " ".join((*_listed(chosen, chosen.memory), *_listed(chosen, chosen.frames)))
    yield _text(f"{FRAMES} {listed}")
    jpegs = of_one_size([pictures(frame) for frame in frames])
    url = "data:video/jpeg;base64," + ",".join(_base64(jpeg) for jpeg in jpegs)
    yield {"type": "video_url", "video_url": {"url": url}, "uuid": _named("video", jpegs)}


def _images(chosen: Chosen, pictures: Pictures) -> Iterator[Part]:
    for picture, header in zip(chosen.images, _listed(chosen, chosen.images), strict=True):
        (jpeg,) = of_one_size([pictures(picture)])
        yield _text(header)
        url = f"data:image/jpeg;base64,{_base64(jpeg)}"
        yield {"type": "image_url", "image_url": {"url": url}, "uuid": _named("image", [jpeg])}


def _listed(chosen: Chosen, shown: Shown) -> list[str]:
    """For each picture the headers of what is seen in it."""
    return [" ".join(chosen.header[one.id] for one in seen) for seen in shown.values()]


def _text(text: str) -> TextPart:
    return {"type": "text", "text": text.encode("utf-8", "replace").decode("utf-8")}


def _embeds(name: str, tokens: Tokens) -> EmbedsPart:
    """One slot: vLLM stacks the items of a request itself, so that each goes without an axis for itself."""
    import torch

    values = np.ascontiguousarray(tokens, np.float16)
    if not np.isfinite(values).all():
        raise ModelError(f"memory {name} has tokens that are no numbers")
    file = io.BytesIO()
    torch.save(torch.from_numpy(values.copy()), file)
    named = _named(f"tokens {values.shape}", [values.tobytes()])
    return {"type": "image_embeds", "image_embeds": _base64(file.getvalue()), "uuid": named}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _named(kind: str, contents: Sequence[bytes]) -> str:
    digest = hashlib.sha256(kind.encode())
    for content in contents:
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()
