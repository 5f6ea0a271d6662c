"""`OpenAiCompatibleGenerator`: a vision-language model behind vLLM, or any server that takes the same requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import cached_property

from services.generators.cited import drafts
from services.generators.openai_compatible.choosing import choose
from services.generators.openai_compatible.limits import Limits
from services.generators.openai_compatible.parts import Pictures, messages
from services.generators.openai_compatible.server import Server
from services.generators.wording import checking, describing
from services.types import Draft, Evidence

_AT_ONCE, _WEIGHED, _UNTOLD = 8, 20, 0.5


class OpenAiCompatibleGenerator:
    """See `services.ports.Generator` and `services.ports.Checker`.

    `model` is the server's name for it, empty: its first. `pictures` gives the stored JPEG of a reference; its
    ArtifactError passes through. Drafts leave as soon as they are complete; closing the iterator ends the request.
    """

    def __init__(self, server: Server, pictures: Pictures, limits: Limits, model: str, max_tokens: int) -> None:
        self._server, self._pictures, self._limits = server, pictures, limits
        self._named, self._max_tokens = model, max_tokens

    @property
    def model_id(self) -> str:
        """Errors: GeneratorUnavailable where the model has no name in the settings."""
        return f"openai_compatible:{self._model}"

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[Draft]:
        """A draft for each sentence of the answer."""
        if not evidence:
            return
        chosen = choose(question, evidence, self._limits)
        request = {
            "model": self._model,
            "messages": messages(chosen, question, self._pictures),
            "stream": True,
            "temperature": 0.0,
            "max_tokens": self._max_tokens,
        }
        with closing(self._server.said(request, self._max_tokens)) as pieces:
            yield from drafts(pieces, {one.id: one for one in evidence if one.id in chosen.sent})

    def shows(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
        """See `services.ports.Checker`: of yes and no, how likely yes is, each picture in a request of its own."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda one: self._yes(checking(sentence), replace(one, tokens=None)), evidence))

    def describe(self, evidence: Sequence[Evidence], words: int) -> Iterator[Draft]:
        """Sentences that say what the evidence shows."""
        return self.answer(describing(words), evidence)

    def _yes(self, question: str, one: Evidence) -> float:
        request = {
            "model": self._model,
            "messages": messages(choose(question, [one], self._limits), question, self._pictures),
            "stream": False,
            "temperature": 0.0,
            "max_tokens": 1,
            "logprobs": True,
            "top_logprobs": _WEIGHED,
        }
        words = self._server.weighed(request)
        yes, no = words.get("yes", 0.0), words.get("no", 0.0)
        return yes / (yes + no) if yes + no > 0 else _UNTOLD

    @cached_property
    def _model(self) -> str:
        return self._named or self._server.first_model()
