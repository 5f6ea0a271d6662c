"""Translation of finished messages: a text is matched with templates, and the translation gets its fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_FIELD = re.compile(r"\{(\w+)\}")
_REASON = re.compile(r"reason\d?$")
"""Names of the fields that are messages themselves; names and paths are never translated."""
_COUNT = "count"
"""Name of a field that is a whole number, which keeps a template that begins with one from fitting too much."""
_REMARK = re.compile(r"(.+) \((.+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Template:
    pattern: re.Pattern[str]
    translation: str


class TemplateMatcher:
    """Translates texts by templates such as `{path}: cannot be written ({reason})`.

    Of several that match, those that begin with a word win over those that begin with a field, which may be anything;
    then the one with the most letters of its own. A text may also be several messages
    (`FIRST; SECOND`), or have something before (`NAME: MESSAGE`) or after it (`MESSAGE (SETTING)`).
    """

    def __init__(self, translations: Mapping[str, str]) -> None:
        ordered = sorted(translations, key=_rank)
        self._templates = [_Template(_compile(template), translations[template]) for template in ordered]

    def translate(self, text: str) -> str:
        """Return the translation of a text; the text itself where there is none."""
        if not self._templates:
            return text
        return self._find(text) or text

    def _find(self, text: str) -> str | None:
        return self._message(text) or self._named(text) or self._with_remark(text)

    def _message(self, text: str) -> str | None:
        return self._items(text) or self._whole(text) or self._listed(text)

    def _whole(self, text: str) -> str | None:
        for template in self._templates:
            if match := template.pattern.fullmatch(text):
                fields = {
                    name: self.translate(value) if _REASON.match(name) else value
                    for name, value in match.groupdict().items()
                }
                return template.translation.format(**fields)
        return None

    def _listed(self, text: str) -> str | None:
        """Translate several messages, of which some are known."""
        parts = text.split("; ")
        found = [self._find(part) for part in parts] if len(parts) > 1 else []
        if any(found):
            return "; ".join(new or old for new, old in zip(found, parts, strict=True))
        return None

    def _items(self, text: str) -> str | None:
        """Translate messages that are parted by commas; only if each is known, since texts have commas too."""
        items = text.split(", ")
        known = [self._whole(item) for item in items] if len(items) > 1 else []
        return ", ".join(item for item in known if item) if known and all(known) else None

    def _named(self, text: str) -> str | None:
        """Translate a message behind a name; the name may have colons."""
        for colon in re.finditer(": ", text):
            name, message = text[: colon.end()], text[colon.end() :]
            if found := self._message(message):
                return name + found
        return None

    def _with_remark(self, text: str) -> str | None:
        match = _REMARK.fullmatch(text)
        found = None if match is None else self._message(match[1]) or self._named(match[1])
        return None if match is None or found is None else f"{found} ({self.translate(match[2])})"


def _rank(template: str) -> tuple[bool, int]:
    return template.startswith("{"), -len(_FIELD.sub("", template))


def _compile(template: str) -> re.Pattern[str]:
    parts = _FIELD.split(template)
    fields = (rf"(?P<{part}>\d+)" if part == _COUNT else f"(?P<{part}>.*?)" for part in parts[1::2])
    pattern = "".join(f"{re.escape(text)}{next(fields, '')}" for text in parts[::2])
    return re.compile(pattern, re.DOTALL)
