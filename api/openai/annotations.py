"""Citations as OpenAI's annotations, which chat frontends list as the sources of an answer.

An annotation must have a URL, but a page or a frame has none that a browser may open without a key. A URN identifies
the asset, and its fragment the place: `page=` as in RFC 8118, `t=` as in Media Fragments URI.
"""

from __future__ import annotations

from api.openai.responses import Annotation, UrlCitation
from api.schemas.locations import format_location
from api.schemas.results import CitationShape, SentenceShape
from indexer.types import AssetKind

_URN_PREFIX = "urn:afterimage:asset:"


def make_annotations(sentence: SentenceShape, start: int) -> list[Annotation]:
    """Return the places that a sentence cites, each once; `start` is where it begins in the answer."""
    titles = {_identify(citation): _format_title(citation) for citation in sentence.citations}
    end = start + len(sentence.text)
    return [
        Annotation(url_citation=UrlCitation(start_index=start, end_index=end, title=title, url=url))
        for url, title in titles.items()
    ]


def _identify(citation: CitationShape) -> str:
    urn = f"{_URN_PREFIX}{citation.asset}"
    if citation.page is not None:
        return f"{urn}#page={citation.page}"
    if citation.start_s is None:
        return urn
    return f"{urn}#t={citation.start_s}" + ("" if citation.end_s is None else f",{citation.end_s}")


def _format_title(citation: CitationShape) -> str:
    location = format_location(AssetKind(citation.kind), citation.start_s, citation.end_s, citation.page)
    return f"{citation.name} {location}".strip()
