"""Generator and visual verifier on a vision-language model behind vLLM or another OpenAI-compatible server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from services.generators.citation_parser import parse_sentences
from services.generators.errors import RequestRejected
from services.generators.openai_compatible.client import ChatClient
from services.generators.openai_compatible.evidence_packing import PackedEvidence, pack_evidence
from services.generators.openai_compatible.json_writing import build_json_messages, require_json
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.openai_compatible.parts import PictureLoader, build_messages
from services.generators.openai_compatible.refusals import reduce_budget
from services.generators.openai_compatible.responses import weigh_first_tokens
from services.generators.prompts import caption_prompt, entailment_prompt, format_question
from services.generators.types import DraftSentence, Evidence

_log = logging.getLogger(__name__)
_Response = TypeVar("_Response")
_RequestBody = Mapping[str, object]
_NOT_FOUND = 404
"""Form: status code of a server that does not know the model."""
_MAX_PARALLEL_REQUESTS = 8
"""Chosen: verification requests in flight; more would queue in the server, fewer leave its batches empty."""
_TOP_LOGPROBS = 20
"""Source: vLLM's default `--max-logprobs`, the most candidates that it returns for a token."""


class OpenAiCompatibleGenerator:
    """`services.generators.ports.Generator`, `VisualVerifier` and `JsonWriter` on a model server.

    `model` is the server's name for the model, its first model if empty. A request that is too large for the server is
    repeated with fewer pictures. `load_picture` returns the stored JPEG of a reference; its ArtifactError passes
    through. Closing an answer's iterator ends the request.
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
        return self._generate_drafts(format_question(question), evidence)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """Yield sentences that describe the evidence, in about `max_words` words at most."""
        return self._generate_drafts(caption_prompt(max_words), evidence)

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float | None]:
        """Return for each piece the probability of yes against no, each picture in a request of its own.

        None where the server's model answers with something else.
        """
        prompt = entailment_prompt(sentence)
        pictures = [replace(piece, visual_tokens=None) for piece in evidence]
        with ThreadPoolExecutor(_MAX_PARALLEL_REQUESTS) as pool:
            return list(pool.map(lambda piece: self._yes_probability(prompt, piece), pictures))

    def write_json(self, question: str, answer: str, response_format: Mapping[str, object]) -> str:
        """Return an answer as JSON, to which the server holds the model while it writes (guided decoding)."""
        body = {
            "model": self._model_name,
            "messages": build_json_messages(question, answer),
            "temperature": 0.0,
            "max_tokens": self._max_output_tokens,
            "response_format": response_format,
            "stream": True,
        }
        return require_json("".join(self._client.stream(body, self._max_output_tokens)))

    def _generate_drafts(self, request: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        if not evidence:
            return
        included: dict[str, Evidence] = {}
        with closing(self._stream_text(request, evidence, included)) as chunks:
            yield from parse_sentences(chunks, included)

    def _stream_text(
        self, request: str, evidence: Sequence[Evidence], included: dict[str, Evidence]
    ) -> Generator[str, None, None]:
        """Yield the text of the answer as it comes, after filling `included` with the evidence of the request."""

        def begin(body: _RequestBody) -> tuple[str | None, Generator[str, None, None]]:
            stream = self._client.stream({**body, "stream": True}, self._max_output_tokens)
            return next(stream, None), stream

        (first, stream), packed_evidence = self._send_what_fits(request, evidence, self._max_output_tokens, begin)
        included.update((piece.id, piece) for piece in evidence if piece.id in packed_evidence.included_ids)
        with closing(stream) as chunks:
            if first is not None:
                yield first
                yield from chunks

    def _yes_probability(self, request: str, piece: Evidence) -> float | None:
        """Return the probability of "yes" as the beginning of the answer, against "no"."""

        def ask(body: _RequestBody) -> float | None:
            logprobs = {"stream": False, "logprobs": True, "top_logprobs": _TOP_LOGPROBS}
            return weigh_first_tokens(self._client.first_token_probabilities({**body, **logprobs}))

        score, _ = self._send_what_fits(request, [piece], 1, ask)
        return score

    def _send_what_fits(
        self, request: str, evidence: Sequence[Evidence], max_tokens: int, send: Callable[[_RequestBody], _Response]
    ) -> tuple[_Response, PackedEvidence]:
        """Return what a request gives, with as much of the evidence as the server takes, and that evidence.

        How many pictures the server takes is remembered for the requests that follow; what was wrong in the estimate of
        one prompt's length is not. Errors: GeneratorUnavailable.
        """
        budget = self._budget
        while True:
            model, packed_evidence = self._model_name, pack_evidence(request, evidence, budget)
            messages = build_messages(packed_evidence, request, self._load_picture)
            body = {"model": model, "messages": messages, "temperature": 0.0, "max_tokens": max_tokens}
            try:
                response = send(body)
            except RequestRejected as rejection:
                budget = self._adapt_budget(rejection, budget, packed_evidence, model)
                continue
            self._budget = replace(budget, max_prompt_tokens=self._budget.max_prompt_tokens)
            return response, packed_evidence

    def _adapt_budget(
        self, rejection: RequestRejected, budget: TokenBudget, packed_evidence: PackedEvidence, model: str
    ) -> TokenBudget:
        """Return the budget of the next try, after looking for the server's new model where it knows the name no more.

        Errors: the rejection, where nothing can be changed.
        """
        if rejection.status == _NOT_FOUND:
            if self._configured_model or self._client.fetch_first_model() == model:
                raise rejection
            self.__dict__.pop("_model_name", None)
            return budget
        reason = str(rejection)
        smaller = reduce_budget(budget, packed_evidence.frame_count, len(packed_evidence.images), reason)
        if smaller is None:
            raise rejection
        _log.warning(
            "less is sent (at most %d tokens, %d frames, %d images): %s",
            *(smaller.max_prompt_tokens, smaller.max_videos, smaller.max_images, reason),
        )
        return smaller

    @cached_property
    def _model_name(self) -> str:
        return self._configured_model or self._client.fetch_first_model()
