"""Generator and visual verifier on a vision-language model behind vLLM or another OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import cached_property

from services.generators.citation_parser import parse_sentences
from services.generators.openai_compatible.client import ChatClient
from services.generators.openai_compatible.evidence_packing import pack_evidence
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.openai_compatible.parts import PictureLoader, build_messages
from services.generators.prompts import caption_prompt, entailment_prompt
from services.generators.types import DraftSentence, Evidence

_MAX_PARALLEL_REQUESTS = 8
"""Chosen: verification requests in flight; more would queue in the server, fewer leave its batches empty."""
_TOP_LOGPROBS = 20
"""Source: vLLM's default `--max-logprobs`, the most candidates that it returns for a token."""
_UNKNOWN_PROBABILITY = 0.5
"""Chosen: neither yes nor no is among the candidates, so the verdict stays unclear."""


class OpenAiCompatibleGenerator:
    """`services.generators.ports.Generator` and `VisualVerifier` on a model server.

    `model` is the server's name for the model, its first model if empty. `load_picture` returns the stored JPEG of a
    reference; its ArtifactError passes through. Closing an answer's iterator ends the request.
    """

    def __init__(
        self, client: ChatClient, load_picture: PictureLoader, budget: TokenBudget, model: str, max_output_tokens: int
    ) -> None:
        self._client, self._load_picture, self._budget = client, load_picture, budget
        self._configured_model, self._max_output_tokens = model, max_output_tokens

    @property
    def model_id(self) -> str:
        """Name of the server's model. Errors: GeneratorUnavailable where only the server knows it, and fails."""
        return f"openai_compatible:{self._model_name}"

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        """Yield the sentences of the answer as they are complete; none without evidence."""
        if not evidence:
            return
        packed_evidence = pack_evidence(question, evidence, self._budget)
        request = {
            "model": self._model_name,
            "messages": build_messages(packed_evidence, question, self._load_picture),
            "stream": True,
            "temperature": 0.0,
            "max_tokens": self._max_output_tokens,
        }
        included = {piece.id: piece for piece in evidence if piece.id in packed_evidence.included_ids}
        with closing(self._client.stream(request, self._max_output_tokens)) as chunks:
            yield from parse_sentences(chunks, included)

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
        """Return for each piece the probability of yes against no, each picture in a request of its own."""
        prompt = entailment_prompt(sentence)
        pictures = [replace(piece, visual_tokens=None) for piece in evidence]
        with ThreadPoolExecutor(_MAX_PARALLEL_REQUESTS) as pool:
            return list(pool.map(lambda piece: self._yes_probability(prompt, piece), pictures))

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """Yield sentences that describe the evidence, in about `max_words` words at most."""
        return self.answer(caption_prompt(max_words), evidence)

    def _yes_probability(self, question: str, piece: Evidence) -> float:
        """Return the probability of "yes" as the first word of the answer, against "no"."""
        request = {
            "model": self._model_name,
            "messages": build_messages(pack_evidence(question, [piece], self._budget), question, self._load_picture),
            "stream": False,
            "temperature": 0.0,
            "max_tokens": 1,
            "logprobs": True,
            "top_logprobs": _TOP_LOGPROBS,
        }
        probabilities = self._client.first_token_probabilities(request)
        yes, no = probabilities.get("yes", 0.0), probabilities.get("no", 0.0)
        return yes / (yes + no) if yes + no > 0 else _UNKNOWN_PROBABILITY

    @cached_property
    def _model_name(self) -> str:
        return self._configured_model or self._client.fetch_first_model()
