"""Citations as annotations: what names a place, and where its sentence stands in the answer."""

from __future__ import annotations

from typing import Any

import pytest

from api.openai.annotations import make_annotations
from api.schemas.results import CitationShape, SentenceShape


def _citation(**place: Any) -> CitationShape:  # noqa: ANN401
    defaults: dict[str, Any] = {"start_s": None, "end_s": None, "page": None, "box": None}
    source = {"origin": "page", "modality": "written"}
    return CitationShape(id="P1", asset="a1", quote="", **(defaults | source | place))


def _sentence(*citations: CitationShape) -> SentenceShape:
    return SentenceShape(text="The rope is red.", verdict="supported", score=1.0, citations=list(citations))


@pytest.mark.parametrize(
    ("place", "title", "fragment"),
    [
        ({"name": "a/prices.pdf", "kind": "document", "page": 7}, "a/prices.pdf page 7", "#page=7"),
        ({"name": "b.mp4", "kind": "video", "start_s": 62.5, "end_s": 70.0}, "b.mp4 1:02–1:10", "#t=62.5,70.0"),
        ({"name": "c.jpg", "kind": "image"}, "c.jpg", ""),
    ],
)
def test_a_place_has_a_title_and_a_urn(place: dict[str, Any], title: str, fragment: str) -> None:
    (annotation,) = make_annotations(_sentence(_citation(**place)), 5)
    source = annotation.url_citation
    assert (source.title, source.url) == (title, f"urn:afterimage:asset:a1{fragment}")
    assert (source.start_index, source.end_index) == (5, 5 + len("The rope is red."))


def test_a_place_that_is_quoted_twice_is_one_source() -> None:
    pages = [_citation(name="prices.pdf", kind="document", page=page) for page in (7, 7, 8)]
    titles = [annotation.url_citation.title for annotation in make_annotations(_sentence(*pages), 0)]
    assert titles == ["prices.pdf page 7", "prices.pdf page 8"]
    assert make_annotations(_sentence(), 0) == []
