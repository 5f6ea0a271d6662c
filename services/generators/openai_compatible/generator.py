"""`OpenAiCompatibleGenerator`: a vision-language model behind vLLM, or any server that takes the same requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cached_property

from services.generators.cited import drafts
from services.generators.openai_compatible.choosing import choose
from services.generators.openai_compatible.limits import Limits
from services.generators.openai_compatible.parts import Pictures, messages
from services.generators.openai_compatible.server import Server
from services.generators.wording import describing
from services.types import Draft, Evidence


class OpenAiCompatibleGenerator:
    """See `services.ports.Generator`. `model` is the server's name for it, empty: its first.

    `pictures` gives the stored JPEG of a reference. Drafts leave as soon as they are complete; closing the iterator
    ends the request. An ArtifactError of `pictures` passes through.
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

    def describe(self, evidence: Sequence[Evidence], words: int) -> Iterator[Draft]:
        """Sentences that say what the evidence shows."""
        return self.answer(describing(words), evidence)

    @cached_property
    def _model(self) -> str:
        return self._named or self._server.first_model()
