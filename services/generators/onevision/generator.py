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

from indexer.encoders.devices import use_threads
from indexer.errors import ModelError, SettingsError
from indexer.media.jpeg import decode_jpeg
from indexer.types import AssetKind, PictureRef, Pixels
from services.generators.cited import drafts
from services.generators.onevision.batching import Batcher, Prompt
from services.generators.onevision.checkpoint import Checkpoint, folder_of, identity, load
from services.generators.onevision.engine import Engine, Part, Prefix
from services.generators.onevision.layout import Layout, layout_of
from services.generators.onevision.prefixes import PrefixCache
from services.generators.onevision.prompt import Plan, Planner, Shown
from services.generators.onevision.sights import Sights
from services.generators.onevision.tokens import OneVisionTokens
from services.generators.onevision.vision import Vision
from services.generators.onevision.words import Words
from services.generators.wording import checking, describing
from services.types import Draft, Evidence

_log = logging.getLogger(__name__)
_MB = 1 << 20
_AT_ONCE = 16


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
        pictures: Callable[[PictureRef], bytes],
        *,
        budget: int,
        limit: int,
        device: str = "auto",
        precision: str = "auto",
        cache_mb: int = 1024,
        threads: int | None = None,
        parallel: int = 1,
        read: Callable[[str, str, str], Checkpoint] = load,
    ) -> None:
        self._name, self._pictures, self._budget, self._limit = model, pictures, budget, limit
        self._device, self._precision, self._threads = device, precision, threads
        self._cache_bytes, self._parallel = cache_mb * _MB, parallel
        self._prefixes, self._sights = PrefixCache(self._cache_bytes), Sights(self._pixels)
        self._read = read
        self._lock, self._checking, self._planning = threading.Lock(), threading.Lock(), threading.RLock()

    @cached_property
    def model_id(self) -> str:
        """The checkpoint and a hash of its weights. Errors: ModelError."""
        return identity(self._name)

    def token_encoder(self) -> OneVisionTokens:
        """What makes memories that this model reads as they are. Errors: ModelError."""
        return OneVisionTokens(self.model_id, self._eyes, self._layout.slot_tokens)

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[Draft]:
        return self._drafts(_asking(question), evidence)

    def describe(self, evidence: Sequence[Evidence], words: int) -> Iterator[Draft]:
        return self._drafts(describing(words), evidence)

    def shows(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
        """See `services.ports.Checker`: of yes and no, how likely yes is, each picture alone with the sentence."""
        with self._checking:
            use_threads(self._threads)
            with self._planning:
                plans = [self._plan(checking(sentence), [replace(one, tokens=None)]) for one in evidence]
            prompts = [[*self._beginning(plan), *self._rest(plan)] for plan in plans]
            scores: list[float] = []
            for first in range(0, len(prompts), _AT_ONCE):
                logits = self._loaded.engine.next_logits(prompts[first : first + _AT_ONCE])
                said = torch.stack([logits[:, list(ids)].logsumexp(1) for ids in self._loaded.yes_no], 1)
                scores += said.softmax(1)[:, 0].tolist()
            return scores

    def prompt_tokens(self, question: str, evidence: Sequence[Evidence]) -> int:
        """How many tokens a question takes with the evidence that there is room for. Errors: QueryError, ModelError."""
        with self._planning:
            return self._plan(_asking(question), evidence).tokens

    def close(self) -> None:
        """End what runs in the background; answers that are not finished fail."""
        if "_batcher" in self.__dict__:
            self._batcher.close()

    def _drafts(self, request: str, evidence: Sequence[Evidence]) -> Iterator[Draft]:
        shown: dict[str, Evidence] = {}
        return drafts(self._said(request, evidence, shown), shown)

    def _said(self, request: str, evidence: Sequence[Evidence], shown: dict[str, Evidence]) -> Iterator[str]:
        """The answer as it comes; before its first piece `shown` gets what there was room for."""
        with self._lock if self._parallel == 1 else nullcontext():
            use_threads(self._threads)
            with self._planning:
                words = self._loaded.words
            ids = self._ids(request, evidence, shown)
            try:
                yield from words.said(ids)
            finally:
                ids.close()

    def _ids(
        self, request: str, evidence: Sequence[Evidence], shown: dict[str, Evidence]
    ) -> Generator[int, None, None]:
        """The ids of the answer; where memory runs out before the first of them, once more with half the budget.

        Errors: ModelError where it runs out later.
        """
        while True:
            budget = self._budget
            try:
                with self._planning:
                    plan = self._plan(request, evidence)
                attempt = (self._alone if self._parallel == 1 else self._together)(plan)
                first = next(attempt, None)
            except torch.OutOfMemoryError:
                self._give_way(budget)
                continue
            except ModelError:
                if budget == self._budget:
                    raise
                continue
            shown.update((one.id, one) for one in plan.shown)
            if first is not None:
                yield first
                yield from self._rest_of(attempt)
            return

    def _rest_of(self, attempt: Iterator[int]) -> Iterator[int]:
        try:
            yield from attempt
        except torch.OutOfMemoryError as error:
            raise ModelError(f"the answer broke off, out of GPU memory: {error}") from error

    def _give_way(self, budget: int) -> None:
        """Halve the budget, unless another question has done so since."""
        self._prefixes.clear()
        torch.cuda.empty_cache()
        with self._planning:
            if budget != self._budget:
                return
            self._planner(budget // 2)
            self._budget = budget // 2
            if "_batcher" in self.__dict__:
                self._batcher.longest = self._budget + self._limit
        _log.warning("out of GPU memory: from now on a prompt has at most %d tokens", self._budget)

    def _together(self, plan: Plan) -> Iterator[int]:
        with self._planning:
            batcher = self._batcher
        prompt = Prompt(_key(plan), partial(self._beginning, plan), partial(self._rest, plan))
        yield from batcher.write(prompt, self._limit, self._loaded.ends)

    def _alone(self, plan: Plan) -> Iterator[int]:
        loaded, prefix = self._loaded, self._prefix(plan)
        kept = prefix.tokens
        try:
            yield from loaded.engine.write(self._rest(plan), prefix, self._limit, loaded.ends)
        finally:
            loaded.engine.rewind(prefix, kept)

    def _prefix(self, plan: Plan) -> Prefix:
        """What was read of opening and memory, now or before."""
        key = _key(plan)
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._loaded.engine.fresh()
            if plan.opening or plan.slots:
                self._loaded.engine.read(self._beginning(plan), prefix)
            self._prefixes.put(key, prefix)
        return prefix

    def _plan(self, request: str, evidence: Sequence[Evidence]) -> Plan:
        return self._planner(self._budget).plan(request, evidence, self._in_detail(evidence))

    def _beginning(self, plan: Plan) -> list[Part]:
        return [plan.opening, *self._run(plan.slots, plan.newline)]

    def _rest(self, plan: Plan) -> list[Part]:
        photos = self._photos(plan.pictures)
        return [*self._run(plan.frames, plan.newline), *photos, *(text.ids for text in plan.texts), plan.closing]

    def _run(self, shown: Sequence[Shown], newline: int) -> list[Part]:
        """Frames or slots, each after its header. Tokens that were computed before are taken as they are."""
        if not shown:
            return []
        fresh = [one for one in shown if one.evidence.tokens is None]
        vision = self._loaded.vision
        refs = [picture for one in fresh if (picture := one.evidence.found.segment.picture)]
        seen = iter(self._sights.frames(vision, refs, fresh[0].tokens) if fresh else [])
        parts: list[Part] = []
        for one in shown:
            known = one.evidence.tokens
            parts += [one.header, next(seen) if known is None else torch.from_numpy(known)]
        return [*parts, *([vision.newline] if newline else [])]

    def _photos(self, shown: Sequence[Shown]) -> list[Part]:
        """Photos and pages, each after its header: one alone in tiles, several in a view each, what is short of room as
        a frame."""
        vision = self._loaded.vision
        parts: list[Part] = []
        for one in shown:
            picture = one.evidence.found.segment.picture
            assert picture is not None
            if not one.detailed:
                (tokens,) = self._sights.frames(vision, [picture], one.tokens)
            elif one.tokens == vision.view_tokens:
                (tokens,) = vision.views([self._pixels(picture)])
            else:
                tokens = vision.image(self._pixels(picture))
            parts += [one.header, tokens]
        return parts

    def _in_detail(self, evidence: Sequence[Evidence]) -> dict[str, int]:
        """How many tokens photos and pages take: one alone as AnyRes tiles, several as one view each."""
        if not self._loaded.layout.detail:
            return {}
        photos = [one for one in evidence if one.found.asset.kind is not AssetKind.VIDEO and one.found.segment.picture]
        tokens = self._loaded.vision.view_tokens
        if len({one.found.segment.picture for one in photos}) == 1:
            picture = photos[0].found.segment.picture
            assert picture is not None
            height, width, _ = self._pixels(picture).shape
            tokens = self._loaded.vision.image_tokens(height, width)
        return {one.id: tokens for one in photos}

    def _pixels(self, picture: PictureRef) -> Pixels:
        return decode_jpeg(self._pictures(picture)).copy()

    def _planner(self, budget: int) -> Planner:
        return Planner(self._loaded.layout, budget, self._loaded.vision.count, self._loaded.words)

    def _eyes(self) -> Vision:
        with self._planning:
            return self._loaded.vision

    @cached_property
    def _layout(self) -> Layout:
        folder = folder_of(self._name)
        return Layout() if folder is None else layout_of(folder)

    @cached_property
    def _batcher(self) -> Batcher:
        longest, checkpoint = self._budget + self._limit, self._loaded.checkpoint
        return Batcher(checkpoint, self._parallel, longest, cache_bytes=self._cache_bytes)

    @cached_property
    def _loaded(self) -> Loaded:
        loaded = Loaded(self._read(self._name, self._device, self._precision))
        if (most := self._budget + self._limit) > loaded.context:
            raise SettingsError(
                f"AFTERIMAGE_GENERATOR__BUDGET_TOKENS: {self._budget} tokens and {self._limit} of the answer are more "
                f"than the {loaded.context} that {self._name} reads ({most - loaded.context} too many)"
            )
        return loaded


class Loaded:
    """A checkpoint with all that works on it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.layout = checkpoint.layout
        self.vision, self.engine = Vision(checkpoint), Engine(checkpoint)
        self.words = Words(checkpoint.processor.tokenizer)
        self.context = int(checkpoint.model.config.text_config.max_position_embeddings)
        stops = checkpoint.model.generation_config.eos_token_id
        listed = stops if isinstance(stops, list) else [] if stops is None else [stops]
        self.yes_no = tuple(
            {self.words.plain(form)[0] for form in (word, word.lower(), f" {word}", f" {word.lower()}")}
            for word in ("Yes", "No")
        )
        self.ends = frozenset([*listed, *self.words.ruling(self.layout.end)[:1]])


def _asking(question: str) -> str:
    return f"Question: {' '.join(question.split())}"


def _key(plan: Plan) -> str:
    """What tells the beginnings of prompts apart: the words, and each slot's tokens, or the picture they come from."""
    digest = hashlib.sha256(repr(plan.opening).encode())
    for one in plan.slots:
        known, picture = one.evidence.tokens, one.evidence.found.segment.picture
        digest.update(repr((one.header, one.tokens, None if known is not None else picture)).encode())
        if known is not None:
            digest.update(known.tobytes())
    return digest.hexdigest()
