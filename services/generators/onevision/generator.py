"""Generator and visual verifier on a LLaVA-OneVision model in process, with prefix caching and batching."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property, partial

import torch

from indexer.encoders.devices import set_torch_threads
from indexer.errors import ModelError, SettingsError
from indexer.media.jpeg import decode_jpeg
from indexer.types import AssetKind, PictureRef, Pixels
from services.generators.citation_parser import parse_sentences
from services.generators.entailment import weigh_yes
from services.generators.onevision.batching import Batcher, BatchPrompt
from services.generators.onevision.checkpoint import (
    OneVisionCheckpoint,
    compute_model_id,
    load_checkpoint,
    resolve_folder,
)
from services.generators.onevision.engine import Prefix, PromptPart
from services.generators.onevision.prefix_cache import PrefixCache
from services.generators.onevision.prompt import PromptPlan, PromptPlanner, VisualPart
from services.generators.onevision.prompt_template import PromptTemplate, load_prompt_template
from services.generators.onevision.runtime import OneVisionRuntime
from services.generators.onevision.token_encoder import OneVisionTokenEncoder
from services.generators.onevision.vision import VisionEncoder
from services.generators.onevision.visual_token_cache import VisualTokenCache
from services.generators.prompts import caption_prompt, entailment_prompt, format_question
from services.generators.types import DraftSentence, Evidence

_log = logging.getLogger(__name__)
_BYTES_PER_MB = 1 << 20
"""Form: unit of the cache size."""
_ENTAILMENT_BATCH = 16
"""Chosen: pictures verified in one forward pass; more need more memory beside the answer's cache."""


class OneVisionGenerator:
    """`services.generators.ports.Generator` and `VisualVerifier` on any LLaVA-OneVision checkpoint. Thread-safe.

    `model` is `local-dir:/folder`, `package:name/folder` or `hf-hub:organisation/name`, loaded once, at first use, by
    `checkpoint_loader(model, device, precision)`. `load_picture` returns the JPEG of a reference. Keys and values of a
    video's memory are kept for the next question, in at most `prefix_cache_mb`. With `max_batch` 1 questions are
    answered one after the other, else up to `max_batch` are decoded together (`Batcher`). When the GPU's memory runs
    out, `max_prompt_tokens` is halved for good, down to one frame, with a warning.
    """

    def __init__(
        self,
        model: str,
        load_picture: Callable[[PictureRef], bytes],
        *,
        max_prompt_tokens: int,
        max_output_tokens: int,
        device: str = "auto",
        precision: str = "auto",
        prefix_cache_mb: int = 1024,
        threads: int | None = None,
        max_batch: int = 1,
        checkpoint_loader: Callable[[str, str, str], OneVisionCheckpoint] = load_checkpoint,
    ) -> None:
        self._model_name, self._load_picture = model, load_picture
        self._max_prompt_tokens, self._max_output_tokens = max_prompt_tokens, max_output_tokens
        self._device, self._precision, self._threads = device, precision, threads
        self._cache_bytes, self._max_batch = prefix_cache_mb * _BYTES_PER_MB, max_batch
        self._prefixes = PrefixCache(self._cache_bytes)
        self._visual_token_cache = VisualTokenCache(self._decode_picture)
        self._checkpoint_loader = checkpoint_loader
        self._generation_lock, self._entailment_lock = threading.Lock(), threading.Lock()
        self._planning_lock = threading.RLock()

    @cached_property
    def model_id(self) -> str:
        """Identifier of the checkpoint and its weights. Errors: ModelError."""
        return compute_model_id(self._model_name)

    def create_token_encoder(self) -> OneVisionTokenEncoder:
        """Return the encoder for memories in this model's own token space. Errors: ModelError."""
        return OneVisionTokenEncoder(self.model_id, self._load_vision, self._prompt_template.slot_tokens)

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        """Yield the sentences of the answer as they are complete."""
        return self._generate_drafts(format_question(question), evidence)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """Yield sentences that describe the evidence, in about `max_words` words at most."""
        return self._generate_drafts(caption_prompt(max_words), evidence)

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float | None]:
        """Return for each piece the probability of yes against no, each picture alone with the sentence.

        None where the model answers with something else.
        """
        with self._entailment_lock:
            set_torch_threads(self._threads)
            prompt = entailment_prompt(sentence)
            with self._planning_lock:
                plans = [self._plan(prompt, [replace(piece, visual_tokens=None)]) for piece in evidence]
            prompts = [[*self._prefix_parts(plan), *self._suffix_parts(plan)] for plan in plans]
            scores: list[float | None] = []
            for first in range(0, len(prompts), _ENTAILMENT_BATCH):
                logits = self._runtime.engine.next_logits(prompts[first : first + _ENTAILMENT_BATCH])
                probabilities = logits.float().softmax(1)
                yes, no = (probabilities[:, list(ids)].sum(1).tolist() for ids in self._runtime.yes_no_ids)
                scores += map(weigh_yes, yes, no)
            return scores

    def count_prompt_tokens(self, question: str, evidence: Sequence[Evidence]) -> int:
        """Return the tokens of a question's prompt with the evidence that fits. Errors: InvalidInput, ModelError."""
        with self._planning_lock:
            return self._plan(format_question(question), evidence).token_count

    def close(self) -> None:
        """Stop background work; answers that are not finished fail."""
        if "_batcher" in self.__dict__:
            self._batcher.close()

    def _generate_drafts(self, request: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        evidence_by_id: dict[str, Evidence] = {}
        return parse_sentences(self._stream_text(request, evidence, evidence_by_id), evidence_by_id)

    def _stream_text(
        self, request: str, evidence: Sequence[Evidence], evidence_by_id: dict[str, Evidence]
    ) -> Iterator[str]:
        """Yield the text of the answer as it comes, after filling `evidence_by_id` with the evidence in the prompt."""
        with self._generation_lock if self._max_batch == 1 else nullcontext():
            set_torch_threads(self._threads)
            with self._planning_lock:
                tokenizer = self._runtime.tokenizer
            ids = self._generate_ids(request, evidence, evidence_by_id)
            try:
                yield from tokenizer.decode_stream(ids)
            finally:
                ids.close()

    def _generate_ids(
        self, request: str, evidence: Sequence[Evidence], evidence_by_id: dict[str, Evidence]
    ) -> Generator[int, None, None]:
        """Yield the ids of the answer; when memory runs out before the first one, try again with half the budget.

        Errors: ModelError when memory runs out later.
        """
        while True:
            budget = self._max_prompt_tokens
            try:
                with self._planning_lock:
                    plan = self._plan(request, evidence)
                attempt = (self._generate_single if self._max_batch == 1 else self._generate_batched)(plan)
                first = next(attempt, None)
            except torch.OutOfMemoryError:
                self._halve_budget(budget)
                continue
            except ModelError:
                if budget == self._max_prompt_tokens:
                    raise
                continue
            evidence_by_id.update((piece.id, piece) for piece in plan.included_evidence)
            if first is not None:
                yield first
                yield from self._translate_out_of_memory(attempt)
            return

    def _translate_out_of_memory(self, attempt: Iterator[int]) -> Iterator[int]:
        """Yield the remaining ids of an answer. Errors: ModelError when memory runs out."""
        try:
            yield from attempt
        except torch.OutOfMemoryError as error:
            raise ModelError(f"the answer broke off, out of GPU memory: {error}") from error

    def _halve_budget(self, budget: int) -> None:
        """Halve the prompt budget, unless another question has changed it since it was `budget`."""
        self._prefixes.clear()
        torch.cuda.empty_cache()
        with self._planning_lock:
            if budget != self._max_prompt_tokens:
                return
            self._make_planner(budget // 2)
            self._max_prompt_tokens = budget // 2
            if "_batcher" in self.__dict__:
                self._batcher.max_sequence_tokens = self._max_prompt_tokens + self._max_output_tokens
        _log.warning("out of GPU memory: from now on a prompt has at most %d tokens", self._max_prompt_tokens)

    def _generate_batched(self, plan: PromptPlan) -> Iterator[int]:
        """Yield the ids of an answer that is decoded together with others."""
        with self._planning_lock:
            batcher = self._batcher
        prompt = BatchPrompt(_prefix_key(plan), partial(self._prefix_parts, plan), partial(self._suffix_parts, plan))
        yield from batcher.generate(prompt, self._max_output_tokens, self._runtime.stop_ids)

    def _generate_single(self, plan: PromptPlan) -> Iterator[int]:
        """Yield the ids of an answer that is decoded alone, behind a cached prefix where there is one."""
        engine, stop_ids, prefix = self._runtime.engine, self._runtime.stop_ids, self._prefill_prefix(plan)
        prefix_tokens = prefix.token_count
        try:
            yield from engine.generate(self._suffix_parts(plan), prefix, self._max_output_tokens, stop_ids)
        finally:
            engine.truncate(prefix, prefix_tokens)

    def _prefill_prefix(self, plan: PromptPlan) -> Prefix:
        """Return the prefix of opening and memory, from the cache or prefilled now."""
        key = _prefix_key(plan)
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._runtime.engine.new_prefix()
            if plan.opening or plan.slots:
                self._runtime.engine.prefill(self._prefix_parts(plan), prefix)
            self._prefixes.put(key, prefix)
        return prefix

    def _plan(self, request: str, evidence: Sequence[Evidence]) -> PromptPlan:
        return self._make_planner(self._max_prompt_tokens).plan(request, evidence, self._count_detail_tokens(evidence))

    def _prefix_parts(self, plan: PromptPlan) -> list[PromptPart]:
        return [plan.opening, *self._frame_parts(plan.slots, plan.newline)]

    def _suffix_parts(self, plan: PromptPlan) -> list[PromptPart]:
        photos = self._photo_parts(plan.pictures)
        return [
            *self._frame_parts(plan.frames, plan.newline),
            *photos,
            *(text.ids for text in plan.texts),
            plan.closing,
        ]

    def _frame_parts(self, visual_parts: Sequence[VisualPart], newline: int) -> list[PromptPart]:
        """Return headers and tokens of frames or slots, newline last; stored visual tokens are used as they are."""
        if not visual_parts:
            return []
        to_encode = [part for part in visual_parts if part.evidence.visual_tokens is None]
        vision = self._runtime.vision
        pictures = [picture for part in to_encode if (picture := part.evidence.segment.picture)]
        encoded = iter(
            self._visual_token_cache.encode_frames(vision, pictures, to_encode[0].token_count) if to_encode else []
        )
        parts: list[PromptPart] = []
        for part in visual_parts:
            stored = part.evidence.visual_tokens
            parts += [part.header, next(encoded) if stored is None else torch.from_numpy(stored)]
        return [*parts, *([vision.newline_token] if newline else [])]

    def _photo_parts(self, visual_parts: Sequence[VisualPart]) -> list[PromptPart]:
        """Return headers and tokens of photos and pages: one alone in tiles, several in a view each.

        A picture that was planned without detail, for lack of room, is encoded as a frame.
        """
        vision = self._runtime.vision
        parts: list[PromptPart] = []
        for visual_part in visual_parts:
            picture = visual_part.evidence.segment.picture
            assert picture is not None
            if not visual_part.detailed:
                (tokens,) = self._visual_token_cache.encode_frames(vision, [picture], visual_part.token_count)
            elif visual_part.token_count == vision.view_tokens:
                (tokens,) = vision.encode_views([self._decode_picture(picture)])
            else:
                tokens = vision.encode_image(self._decode_picture(picture))
            parts += [visual_part.header, tokens]
        return parts

    def _count_detail_tokens(self, evidence: Sequence[Evidence]) -> dict[str, int]:
        """Return the tokens of detailed photos and pages by evidence id: one alone in tiles, several in a view each."""
        if not self._runtime.prompt_template.detail:
            return {}
        photos = [piece for piece in evidence if piece.asset.kind is not AssetKind.VIDEO and piece.segment.picture]
        tokens = self._runtime.vision.view_tokens
        if len({piece.segment.picture for piece in photos}) == 1:
            picture = photos[0].segment.picture
            assert picture is not None
            height, width, _ = self._decode_picture(picture).shape
            tokens = self._runtime.vision.count_image_tokens(height, width)
        return {piece.id: tokens for piece in photos}

    def _decode_picture(self, picture: PictureRef) -> Pixels:
        return decode_jpeg(self._load_picture(picture)).copy()

    def _make_planner(self, budget: int) -> PromptPlanner:
        return PromptPlanner(
            self._runtime.prompt_template, budget, self._runtime.vision.count_frame_tokens, self._runtime.tokenizer
        )

    def _load_vision(self) -> VisionEncoder:
        with self._planning_lock:
            return self._runtime.vision

    @cached_property
    def _prompt_template(self) -> PromptTemplate:
        folder = resolve_folder(self._model_name)
        return PromptTemplate() if folder is None else load_prompt_template(folder)

    @cached_property
    def _batcher(self) -> Batcher:
        max_sequence_tokens = self._max_prompt_tokens + self._max_output_tokens
        checkpoint = self._runtime.checkpoint
        return Batcher(checkpoint, self._max_batch, max_sequence_tokens, cache_bytes=self._cache_bytes)

    @cached_property
    def _runtime(self) -> OneVisionRuntime:
        """Loaded checkpoint. Errors: ModelError, SettingsError for a budget above the model's context length."""
        runtime = OneVisionRuntime(self._checkpoint_loader(self._model_name, self._device, self._precision))
        excess = self._max_prompt_tokens + self._max_output_tokens - runtime.context_tokens
        if excess > 0:
            raise SettingsError(
                f"AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS: {self._max_prompt_tokens} tokens and "
                f"{self._max_output_tokens} of the answer are more than the {runtime.context_tokens} that "
                f"{self._model_name} reads ({excess} too many)"
            )
        return runtime


def _prefix_key(plan: PromptPlan) -> str:
    """Return a hash of the prefix: opening, headers, and each slot's visual tokens or the picture to encode."""
    digest = hashlib.sha256(repr(plan.opening).encode())
    for slot in plan.slots:
        stored, picture = slot.evidence.visual_tokens, slot.evidence.segment.picture
        digest.update(repr((slot.header, slot.token_count, None if stored is not None else picture)).encode())
        if stored is not None:
            digest.update(stored.tobytes())
    return digest.hexdigest()
