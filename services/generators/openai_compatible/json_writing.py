"""JSON writing: put an answer that was given into the JSON that a client asked for, by a model server."""

from __future__ import annotations

import json
from collections.abc import Mapping

from services.generators.errors import GeneratorUnavailable
from services.generators.openai_compatible.client import ChatClient
from services.generators.prompts import strip_special_tokens

_INSTRUCTION = (
    "You put an answer into JSON. Take every value from the answer as it stands, and add nothing that it does not say; "
    "use null or an empty value for what it leaves open. Write the JSON alone."
)


class ServerJsonWriter:
    """`services.generators.ports.JsonWriter` on a model server, which holds the model to the schema while it writes.

    The model sees question and answer and no evidence, so that it has nothing to say beyond what was verified.
    """

    def __init__(self, client: ChatClient, model: str, max_output_tokens: int) -> None:
        self._client, self._model, self._max_output_tokens = client, model, max_output_tokens

    def write_json(self, question: str, answer: str, response_format: Mapping[str, object]) -> str:
        """Return the answer as JSON of a `response_format` of OpenAI's API. Errors: GeneratorUnavailable."""
        request = f"Question: {strip_special_tokens(question)}\n\nAnswer: {strip_special_tokens(answer)}"
        body: dict[str, object] = {
            "model": self._model or self._client.fetch_first_model(),
            "messages": [
                {"role": "system", "content": _INSTRUCTION},
                {"role": "user", "content": [{"type": "text", "text": request}]},
            ],
            "temperature": 0.0,
            "max_tokens": self._max_output_tokens,
            "response_format": response_format,
            "stream": True,
        }
        text = "".join(self._client.stream(body, self._max_output_tokens))
        try:
            json.loads(text)
        except ValueError as error:
            reason = "its JSON ended before it was complete (AFTERIMAGE_GENERATOR__MAX_OUTPUT_TOKENS), or is none"
            raise GeneratorUnavailable(f"the model server was asked for JSON: {reason}") from error
        return text
