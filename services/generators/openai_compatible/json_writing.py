"""JSON writing: the request that puts an answer into the JSON that a client asked for, and the check of what comes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from services.generators.errors import GeneratorUnavailable
from services.generators.prompts import strip_special_tokens

_INSTRUCTION = (
    "You put an answer into JSON. Take every value from the answer as it stands, and add nothing that it does not say; "
    "use null or an empty value for what it leaves open. Write the JSON alone."
)


def build_json_messages(question: str, answer: str) -> list[Mapping[str, object]]:
    """Return the messages: question and answer and no evidence, so that there is nothing to say beyond the answer."""
    request = f"Question: {strip_special_tokens(question)}\n\nAnswer: {strip_special_tokens(answer)}"
    return [
        {"role": "system", "content": _INSTRUCTION},
        {"role": "user", "content": [{"type": "text", "text": request}]},
    ]


def require_json(text: str) -> str:
    """Return a text that is JSON unchanged. Errors: GeneratorUnavailable for any other."""
    try:
        json.loads(text)
    except ValueError as error:
        reason = "its JSON ended before it was complete (AFTERIMAGE_GENERATOR__MAX_OUTPUT_TOKENS), or is none"
        raise GeneratorUnavailable(f"the model server was asked for JSON: {reason}") from error
    return text
