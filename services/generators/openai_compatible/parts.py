"""Message parts of a vLLM chat completion: text, videos of JPEGs, images, embeddings of memory slots.

Each frame is a video of its own behind its header: the model sees frames as in-process models do, vLLM caches each for
further questions, none of them exceeds its encoder cache, and no two differ in length, which ends vLLM (decision 0101).

Source: docs.vllm.ai, "Multimodal Inputs", section on online serving. `uuid` identifies the content, so that the server
reuses what it has processed before.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias, TypedDict

import numpy as np

from indexer.errors import ModelError
from indexer.media.jpeg import pad_to_common_size
from indexer.types import PictureRef
from memory.types import Tokens
from services.generators.openai_compatible.evidence_packing import EvidenceByPicture, PackedEvidence, format_text_part
from services.generators.prompts import SYSTEM_PROMPT, strip_special_tokens

PictureLoader = Callable[[PictureRef], bytes]
"""Returns the stored JPEG of a reference."""


class DataUrl(TypedDict):
    """Media inside the request, as a `data:` URL."""

    url: str


class VllmTextPart(TypedDict):
    """Text part."""

    type: Literal["text"]
    text: str


class VllmImagePart(TypedDict):
    """Image part."""

    type: Literal["image_url"]
    image_url: DataUrl
    uuid: str


class VllmVideoPart(TypedDict):
    """Video part: one frame as a JPEG."""

    type: Literal["video_url"]
    video_url: DataUrl
    uuid: str


class VllmEmbedsPart(TypedDict):
    """Image embeddings part: visual tokens `[n, hidden]` as a saved tensor."""

    type: Literal["image_embeds"]
    image_embeds: str
    uuid: str


VllmPart: TypeAlias = VllmTextPart | VllmImagePart | VllmVideoPart | VllmEmbedsPart


class VllmMessage(TypedDict):
    """Message of the system or of the user."""

    role: Literal["system", "user"]
    content: str | list[VllmPart]


def build_messages(packed_evidence: PackedEvidence, request: str, load_picture: PictureLoader) -> list[VllmMessage]:
    """Return the messages: instructions, then memory, frames, pictures, texts and, last, the request.

    Errors: ArtifactError for a picture that cannot be loaded, ModelError for visual tokens that are not finite.
    """
    content = [
        *_memory_parts(packed_evidence),
        *_video_parts(packed_evidence, load_picture),
        *_image_parts(packed_evidence, load_picture),
        *(
            _text_part(format_text_part(piece, packed_evidence.header_by_id[piece.id]))
            for piece in packed_evidence.texts
        ),
        _text_part(strip_special_tokens(request)),
    ]
    return [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": content}]


def _memory_parts(packed_evidence: PackedEvidence) -> Iterator[VllmPart]:
    """Yield header and embeddings of each memory slot that is sent as visual tokens."""
    for slot in packed_evidence.token_slots:
        if slot.visual_tokens is not None:
            yield _text_part(packed_evidence.header_by_id[slot.id])
            yield _embeds_part(slot.id, slot.visual_tokens)


def _video_parts(packed_evidence: PackedEvidence, load_picture: PictureLoader) -> Iterator[VllmPart]:
    """Yield header and frame of each frame of a video: memory first, each in order of time."""
    for frames in (packed_evidence.memory_frames, packed_evidence.frames):
        yield from _frame_parts(packed_evidence, frames, load_picture)


def _image_parts(packed_evidence: PackedEvidence, load_picture: PictureLoader) -> Iterator[VllmPart]:
    """Yield header and picture of each photo and page: first those in full, then those that are sent as a frame."""
    headers = _join_headers(packed_evidence, packed_evidence.images)
    for picture, header in zip(packed_evidence.images, headers, strict=True):
        (jpeg,) = pad_to_common_size([load_picture(picture)])
        yield _text_part(header)
        url = f"data:image/jpeg;base64,{_encode_base64(jpeg)}"
        yield {"type": "image_url", "image_url": {"url": url}, "uuid": _content_uuid("image", [jpeg])}
    yield from _frame_parts(packed_evidence, packed_evidence.image_frames, load_picture)


def _frame_parts(
    packed_evidence: PackedEvidence, frames: EvidenceByPicture, load_picture: PictureLoader
) -> Iterator[VllmPart]:
    """Yield header and video of each frame."""
    for picture, header in zip(frames, _join_headers(packed_evidence, frames), strict=True):
        (jpeg,) = pad_to_common_size([load_picture(picture)])
        yield _text_part(header)
        url = f"data:video/jpeg;base64,{_encode_base64(jpeg)}"
        yield {"type": "video_url", "video_url": {"url": url}, "uuid": _content_uuid("video", [jpeg])}


def _join_headers(packed_evidence: PackedEvidence, pictures: EvidenceByPicture) -> list[str]:
    """Return for each picture the headers of the evidence that it shows."""
    return [" ".join(packed_evidence.header_by_id[piece.id] for piece in pieces) for pieces in pictures.values()]


def _text_part(text: str) -> VllmTextPart:
    """Return a text part; lone surrogates, which JSON in UTF-8 cannot hold, are replaced."""
    return {"type": "text", "text": text.encode("utf-8", "replace").decode("utf-8")}


def _embeds_part(slot_id: str, tokens: Tokens) -> VllmEmbedsPart:
    """Return the part of one slot, `[n, hidden]`: vLLM adds the axis of items itself. Errors: ModelError."""
    import torch

    values = np.ascontiguousarray(tokens, np.float16)
    if not np.isfinite(values).all():
        raise ModelError(f"memory {slot_id} has tokens that are no numbers")
    file = io.BytesIO()
    torch.save(torch.from_numpy(values.copy()), file)
    uuid = _content_uuid(f"tokens {values.shape}", [values.tobytes()])
    return {"type": "image_embeds", "image_embeds": _encode_base64(file.getvalue()), "uuid": uuid}


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _content_uuid(kind: str, contents: Sequence[bytes]) -> str:
    """Return a hash of the contents, by which the server recognises them."""
    digest = hashlib.sha256(kind.encode())
    for content in contents:
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()
