"""Question templates that the language model is trained on; the placeholders are filled by the example generators."""

from __future__ import annotations

IS_THERE_TEMPLATES = ("Is there {a} in the video?", "Is there {a} in the video?", "Is {a} shown?", "Can {a} be seen?")
WHEN_TEMPLATES = ("When does {a} appear?", "When does {a} appear?", "When is {a} seen?", "When can {a} be seen?")
WHEN_PLURAL_TEMPLATES = ("When does {a} appear?", "When do {a} appear?", "When are {a} seen?", "When can {a} be seen?")
WHERE_TEMPLATES = ("Where is the {x}?", "Where is the {x}?", "Where is {a}?", "In which place is the {x}?")
COUNT_TEMPLATES = ("How many {xs} are there?", "How many {xs} are there?", "How many {xs} can be seen?")
OFTEN_TEMPLATES = ("How often does {a} appear?", "How often does {a} appear?", "How many times does {a} appear?")
VISIBLE_AT_TEMPLATES = (
    "What can be seen at {t}?",
    "What can be seen at {t}?",
    "What is shown at {t}?",
    "What happens at {t}?",
)
FIRST_TEMPLATES = ("Which was seen first, the {x} or the {y}?", "Which appears first, the {x} or the {y}?")
BEFORE_TEMPLATES = ("What was seen last before the {x}?", "What came before the {x}?")
BETWEEN_TEMPLATES = ("What was seen between the {x} and the {y}?", "What happened between the {x} and the {y}?")
CHANGED_TEMPLATES = ("How did the place change between {t} and {u}?", "What changed between {t} and {u}?")
SIGN_TEMPLATES = ("What does the sign say {p}?", "What is written on the sign {p}?")
ANY_TEMPLATES = ("What can be seen?", "What is shown?", "What happens in the video?", "What is in the picture?")
QUESTION_TEMPLATES = (
    *IS_THERE_TEMPLATES, *WHEN_TEMPLATES, *WHEN_PLURAL_TEMPLATES, *WHERE_TEMPLATES, *COUNT_TEMPLATES, *OFTEN_TEMPLATES,
    *VISIBLE_AT_TEMPLATES, *FIRST_TEMPLATES, *BEFORE_TEMPLATES, *BETWEEN_TEMPLATES, *CHANGED_TEMPLATES,
    *SIGN_TEMPLATES, *ANY_TEMPLATES,
    "Question: Yes, there is the video. The were times. can be seen. It was, then. at night. "
    "appears at was seen first, then, at. was seen before. before the. between them. The sign says",
)  # fmt: skip
"""All questions, and the words of the answers; part of the tokenizer's corpus."""
