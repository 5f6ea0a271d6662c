"""Fields of a completion's request: what may be wished for in vain, and what may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from api.openai.requests import ChatBody

_SAIL = {"name": "sail", "parameters": {}}
_REQUEST: dict[str, Any] = {"model": "afterimage/harbour", "messages": [{"role": "user", "content": "How much?"}]}


@pytest.mark.parametrize("choice", [{}, {"tool_choice": "auto"}, {"tool_choice": "none"}, {"function_call": "auto"}])
def test_tools_that_may_be_called_are_ignored(choice: dict[str, str]) -> None:
    """Chat frontends offer tools with each question, by the dozen."""
    tools = [{"type": "function", "function": _SAIL}] * 200
    assert ChatBody.model_validate({**_REQUEST, "tools": tools, "functions": [_SAIL], **choice})


@pytest.mark.parametrize("choice", [{"tool_choice": "required"}, {"function_call": {"name": "sail"}}])
def test_a_tool_that_must_be_called_is_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(choice))):
        ChatBody.model_validate(_REQUEST | choice)
