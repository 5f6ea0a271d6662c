"""Long messages are cut to what search takes, with their question kept, in any script."""

from __future__ import annotations

import pytest

from api.openai.conversation import extract_query
from api.openai.requests import ConversationMessage
from services.answering.rules.question_analysis import RuleQuestionAnalyzer


@pytest.mark.parametrize(
    ("pasted", "question", "beginning"),
    [
        ("It rained on the island all winter. ", "Who counts the gulls?", "It rained on the island"),
        ("등대지기는 매일 갈매기를 센다. ", "갈매기는 몇 마리인가?", "등대지기는 매일"),
        ("灯台守は毎日かもめを数える。", "かもめは何羽ですか？", "灯台守は毎日"),
    ],
)
@pytest.mark.parametrize("is_last", [True, False])
def test_a_long_message_keeps_its_question_and_its_beginning(
    pasted: str, question: str, beginning: str, is_last: bool
) -> None:
    text = pasted * 300
    message = ConversationMessage(role="user", content=f"{text}{question}" if is_last else f"{question} {text}")
    (search,) = extract_query([message], RuleQuestionAnalyzer()).search_queries
    assert search.startswith(question) and beginning in search
    assert 1900 < len(search) <= 2000


_ATTACHED = '<attached_files>\n<file type="file" id="785e9f32" url="785e9f32" name="rope.pdf"/>\n</attached_files>\n\n'


@pytest.mark.parametrize(
    ("content", "search"),
    [
        (f"{_ATTACHED}How much is the rope?", "How much is the rope?"),
        (f"### Task:\n<context>\nWho sells rope?\n</context>\n{_ATTACHED}Who is this?", "Who is this?"),
        ([{"type": "text", "text": _ATTACHED}, {"type": "text", "text": "Who is this?"}], "Who is this?"),
        ([{"type": "text", "text": _ATTACHED}, {"type": "text", "text": ""}], ""),
        ("Who writes <attached_files>?", "Who writes <attached_files>?"),
        ("Who writes </attached_files>\nhere?", "Who writes </attached_files>\nhere?"),
    ],
)
def test_the_files_that_a_frontend_puts_before_a_question_are_not_searched_for(
    content: str | list[dict[str, str]], search: str
) -> None:
    message = ConversationMessage.model_validate({"role": "user", "content": content})
    assert extract_query([message], RuleQuestionAnalyzer()).search_queries == (search,)
    follow_up = ConversationMessage(role="user", content="And where is it?")
    assert "785e9f32" not in "".join(extract_query([message, follow_up], RuleQuestionAnalyzer()).search_queries)
