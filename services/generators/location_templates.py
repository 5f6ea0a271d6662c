"""Sentences that say where a picture is that may answer, in the language of the question."""

from __future__ import annotations

from indexer.text.language import identify_language
from indexer.types import AssetKind
from services.generators.timestamps import format_short_timestamp
from services.search.types import RetrievedSegment

_TEMPLATES = {
    "en": (
        "It looks like what is shown in {name} from {start} to {end}.",
        "It looks like what is shown in page {page} of {name}.",
        "It looks like what is shown in {name}.",
    ),
    "de": (
        "Das scheint in {name} von {start} bis {end} zu sehen zu sein.",
        "Das scheint auf Seite {page} von {name} zu sehen zu sein.",
        "Das scheint in {name} zu sehen zu sein.",
    ),
    "fr": (
        "Cela semble visible dans {name} de {start} à {end}.",
        "Cela semble visible à la page {page} de {name}.",
        "Cela semble visible dans {name}.",
    ),
    "es": (
        "Parece que se ve en {name} de {start} a {end}.",
        "Parece que se ve en la página {page} de {name}.",
        "Parece que se ve en {name}.",
    ),
    "ru": (
        "Похоже, это видно в {name} с {start} до {end}.",
        "Похоже, это видно на странице {page} файла {name}.",
        "Похоже, это видно в {name}.",
    ),
    "ko": (
        "{name}의 {start}부터 {end}까지 나오는 것으로 보입니다.",
        "{name}의 {page}쪽에 나오는 것으로 보입니다.",
        "{name}에 나오는 것으로 보입니다.",
    ),
    "ja": (
        "{name} の {start} から {end} に映っているようです。",
        "{name} の {page} ページにあるようです。",
        "{name} に写っているようです。",
    ),
    "zh": (
        "似乎出现在 {name} 的 {start} 至 {end}。",
        "似乎出现在 {name} 第 {page} 页。",
        "似乎出现在 {name} 中。",
    ),
}
"""Form: for each language a sentence for a span of a video, a page of a document, and an image."""
_KINDS = (AssetKind.VIDEO, AssetKind.DOCUMENT, AssetKind.IMAGE)


def describe_location(question: str, found: RetrievedSegment) -> str:
    """Return a sentence that names the file, and the time span or page, of a picture."""
    templates = _TEMPLATES[identify_language(question) or "en"]
    segment = found.segment
    return templates[_KINDS.index(found.asset.kind)].format(
        name=found.asset.name,
        page=segment.page,
        start=format_short_timestamp(segment.start_s),
        end=format_short_timestamp(segment.end_s),
    )
