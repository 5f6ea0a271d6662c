"""`OpenAiCompatibleGenerator`: a vision-language model behind vLLM, or any server that takes the same requests."""

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

_MAX_PARALLEL_REQUESTS, _TOP_LOGPROBS, _UNKNOWN_PROBABILITY = 8, 20, 0.5


class OpenAiCompatibleGenerator:
    """See `services.ports.Generator` and `services.ports.Checker`.

    `model` is the server's name for it, empty: its first. `pictures` gives the stored JPEG of a reference; its
    ArtifactError passes through. Drafts leave as soon as they are complete; closing the iterator ends the request.
    """

    def __init__(
        self, client: ChatClient, load_picture: PictureLoader, budget: TokenBudget, model: str, max_output_tokens: int
    ) -> None:
        self._client, self._load_picture, self._budget = client, load_picture, budget
        self._configured_model, self._max_output_tokens = model, max_output_tokens

    @property
    def model_id(self) -> str:
        """Errors: GeneratorUnavailable where the model has no name in the settings."""
        return f"openai_compatible:{self._model_name}"

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        """A draft for each sentence of the answer."""
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
        with closing(self._client.stream(request, self._max_output_tokens)) as pieces:
            yield from parse_sentences(
                pieces, {one.id: one for one in evidence if one.id in packed_evidence.included_ids}
            )

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
        """See `services.ports.Checker`: of yes and no, how likely yes is, each picture in a request of its own."""
        with ThreadPoolExecutor(_MAX_PARALLEL_REQUESTS) as pool:
            return list(
                pool.map(
                    lambda one: self._yes_probability(entailment_prompt(sentence), replace(one, visual_tokens=None)),
                    evidence,
                )
            )

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """Sentences that say what the evidence shows."""
        return self.answer(caption_prompt(max_words), evidence)

    def _yes_probability(self, question: str, piece: Evidence) -> float:
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
