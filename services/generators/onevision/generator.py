"""`OneVisionGenerator`: what the model says of the evidence, sentence by sentence."""

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
from services.generators.onevision.batching import Batcher, BatchPrompt
from services.generators.onevision.checkpoint import (
    OneVisionCheckpoint,
    compute_model_id,
    load_checkpoint,
    resolve_folder,
)
from services.generators.onevision.engine import Engine, Prefix, PromptPart
from services.generators.onevision.prefix_cache import PrefixCache
from services.generators.onevision.prompt import PromptPlan, PromptPlanner, VisualPart
from services.generators.onevision.prompt_template import PromptTemplate, load_prompt_template
from services.generators.onevision.token_encoder import OneVisionTokenEncoder
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import VisionEncoder
from services.generators.onevision.visual_token_cache import VisualTokenCache
from services.generators.prompts import caption_prompt, entailment_prompt
from services.generators.types import DraftSentence, Evidence

_log = logging.getLogger(__name__)
_BYTES_PER_MB = 1 << 20
_ENTAILMENT_BATCH = 16


class OneVisionGenerator:
    """See `services.ports.Generator`. Any LLaVA-OneVision checkpoint, loaded at first use, once.

    `model` is `local-dir:/folder`, `package:name/folder` or `hf-hub:organisation/name`; `pictures` gives the JPEG of a
    picture. A prompt has at most `budget` tokens, an answer `limit`. What the model read of a video's memory is kept
    for the next question, in `cache_mb` at most. Where the GPU's memory runs out, the budget is halved for good, down
    to one frame, and a warning says so. `parallel` questions are answered at once, others wait: one, with what was read
    kept as it is, or several, decoded together (`Batcher`). `read` gives the checkpoint of name, device and precision.
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
        self._model_name, self._load_picture, self._max_prompt_tokens, self._max_output_tokens = (
            model,
            load_picture,
            max_prompt_tokens,
            max_output_tokens,
        )
        self._device, self._precision, self._threads = device, precision, threads
        self._cache_bytes, self._max_batch = prefix_cache_mb * _BYTES_PER_MB, max_batch
        self._prefixes, self._visual_token_cache = (
            PrefixCache(self._cache_bytes),
            VisualTokenCache(self._decode_picture),
        )
        self._checkpoint_loader = checkpoint_loader
        self._generation_lock, self._entailment_lock, self._planning_lock = (
            threading.Lock(),
            threading.Lock(),
            threading.RLock(),
        )

    @cached_property
    def model_id(self) -> str:
        """The checkpoint and a hash of its weights. Errors: ModelError."""
        return compute_model_id(self._model_name)

    def create_token_encoder(self) -> OneVisionTokenEncoder:
        """What makes memories that this model reads as they are. Errors: ModelError."""
        return OneVisionTokenEncoder(self.model_id, self._load_vision, self._prompt_template.slot_tokens)

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        return self._generate_drafts(_format_question(question), evidence)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        return self._generate_drafts(caption_prompt(max_words), evidence)

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
        """See `services.ports.Checker`: of yes and no, how likely yes is, each picture alone with the sentence."""
        with self._entailment_lock:
            set_torch_threads(self._threads)
            with self._planning_lock:
                plans = [
                    self._plan(entailment_prompt(sentence), [replace(one, visual_tokens=None)]) for one in evidence
                ]
            prompts = [[*self._prefix_parts(plan), *self._suffix_parts(plan)] for plan in plans]
            scores: list[float] = []
            for first in range(0, len(prompts), _ENTAILMENT_BATCH):
                logits = self._runtime.engine.next_logits(prompts[first : first + _ENTAILMENT_BATCH])
                said = torch.stack([logits[:, list(ids)].logsumexp(1) for ids in self._runtime.yes_no_ids], 1)
                scores += said.softmax(1)[:, 0].tolist()
            return scores

    def count_prompt_tokens(self, question: str, evidence: Sequence[Evidence]) -> int:
        """How many tokens a question takes with the evidence that there is room for. Errors: QueryError, ModelError."""
        with self._planning_lock:
            return self._plan(_format_question(question), evidence).token_count

    def close(self) -> None:
        """End what runs in the background; answers that are not finished fail."""
        if "_batcher" in self.__dict__:
            self._batcher.close()

    def _generate_drafts(self, request: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        evidence_by_id: dict[str, Evidence] = {}
        return parse_sentences(self._stream_text(request, evidence, evidence_by_id), evidence_by_id)

    def _stream_text(
        self, request: str, evidence: Sequence[Evidence], evidence_by_id: dict[str, Evidence]
    ) -> Iterator[str]:
        """The answer as it comes; before its first piece `shown` gets what there was room for."""
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
        """The ids of the answer; where memory runs out before the first of them, once more with half the budget.

        Errors: ModelError where it runs out later.
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
            evidence_by_id.update((one.id, one) for one in plan.included_evidence)
            if first is not None:
                yield first
                yield from self._translate_out_of_memory(attempt)
            return

    def _translate_out_of_memory(self, attempt: Iterator[int]) -> Iterator[int]:
        try:
            yield from attempt
        except torch.OutOfMemoryError as error:
            raise ModelError(f"the answer broke off, out of GPU memory: {error}") from error

    def _halve_budget(self, budget: int) -> None:
        """Halve the budget, unless another question has done so since."""
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
        with self._planning_lock:
            batcher = self._batcher
        prompt = BatchPrompt(_prefix_key(plan), partial(self._prefix_parts, plan), partial(self._suffix_parts, plan))
        yield from batcher.generate(prompt, self._max_output_tokens, self._runtime.stop_ids)

    def _generate_single(self, plan: PromptPlan) -> Iterator[int]:
        loaded, prefix = self._runtime, self._prefill_prefix(plan)
        prefix_tokens = prefix.token_count
        try:
            yield from loaded.engine.generate(
                self._suffix_parts(plan), prefix, self._max_output_tokens, loaded.stop_ids
            )
        finally:
            loaded.engine.truncate(prefix, prefix_tokens)

    def _prefill_prefix(self, plan: PromptPlan) -> Prefix:
        """What was read of opening and memory, now or before."""
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
        """Frames or slots, each after its header. Tokens that were computed before are taken as they are."""
        if not visual_parts:
            return []
        fresh = [one for one in visual_parts if one.evidence.visual_tokens is None]
        vision = self._runtime.vision
        refs = [picture for one in fresh if (picture := one.evidence.result.segment.picture)]
        visual_tokens = iter(
            self._visual_token_cache.encode_frames(vision, refs, fresh[0].token_count) if fresh else []
        )
        parts: list[PromptPart] = []
        for one in visual_parts:
            known = one.evidence.visual_tokens
            parts += [one.header, next(visual_tokens) if known is None else torch.from_numpy(known)]
        return [*parts, *([vision.newline_token] if newline else [])]

    def _photo_parts(self, visual_parts: Sequence[VisualPart]) -> list[PromptPart]:
        """Photos and pages, each after its header: one alone in tiles, several in a view each, what is short of room as
        a frame."""
        vision = self._runtime.vision
        parts: list[PromptPart] = []
        for visual_part in visual_parts:
            picture = visual_part.evidence.result.segment.picture
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
        """How many tokens photos and pages take: one alone as AnyRes tiles, several as one view each."""
        if not self._runtime.prompt_template.detail:
            return {}
        photos = [
            one for one in evidence if one.result.asset.kind is not AssetKind.VIDEO and one.result.segment.picture
        ]
        tokens = self._runtime.vision.view_tokens
        if len({one.result.segment.picture for one in photos}) == 1:
            picture = photos[0].result.segment.picture
            assert picture is not None
            height, width, _ = self._decode_picture(picture).shape
            tokens = self._runtime.vision.count_image_tokens(height, width)
        return {one.id: tokens for one in photos}

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
        longest, checkpoint = self._max_prompt_tokens + self._max_output_tokens, self._runtime.checkpoint
        return Batcher(checkpoint, self._max_batch, longest, cache_bytes=self._cache_bytes)

    @cached_property
    def _runtime(self) -> OneVisionRuntime:
        loaded = OneVisionRuntime(self._checkpoint_loader(self._model_name, self._device, self._precision))
        if (required_tokens := self._max_prompt_tokens + self._max_output_tokens) > loaded.context_tokens:
            raise SettingsError(
                f"AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS: {self._max_prompt_tokens} tokens and {self._max_output_tokens} of the answer are more "
                f"than the {loaded.context_tokens} that {self._model_name} reads ({required_tokens - loaded.context_tokens} too many)"
            )
        return loaded


class OneVisionRuntime:
    """A checkpoint with all that works on it."""

    def __init__(self, checkpoint: OneVisionCheckpoint) -> None:
        self.checkpoint = checkpoint
        self.prompt_template = checkpoint.prompt_template
        self.vision, self.engine = VisionEncoder(checkpoint), Engine(checkpoint)
        self.tokenizer = PromptTokenizer(checkpoint.processor.tokenizer)
        self.context_tokens = int(checkpoint.model.config.text_config.max_position_embeddings)
        stops = checkpoint.model.generation_config.eos_token_id
        listed = stops if isinstance(stops, list) else [] if stops is None else [stops]
        self.yes_no_ids = tuple(
            {self.tokenizer.encode_untrusted(form)[0] for form in (word, word.lower(), f" {word}", f" {word.lower()}")}
            for word in ("Yes", "No")
        )
        self.stop_ids = frozenset([*listed, *self.tokenizer.encode_trusted(self.prompt_template.end)[:1]])


def _format_question(question: str) -> str:
    return f"Question: {' '.join(question.split())}"


def _prefix_key(plan: PromptPlan) -> str:
    """What tells the beginnings of prompts apart: the words, and each slot's tokens, or the picture they come from."""
    digest = hashlib.sha256(repr(plan.opening).encode())
    for one in plan.slots:
        known, picture = one.evidence.visual_tokens, one.evidence.result.segment.picture
        digest.update(repr((one.header, one.token_count, None if known is not None else picture)).encode())
        if known is not None:
            digest.update(known.tobytes())
    return digest.hexdigest()
