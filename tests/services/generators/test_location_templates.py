"""Where a picture is that may answer is said in the language of the question."""

from __future__ import annotations

import pytest

from indexer.text.language import LANGUAGES
from indexer.types import AssetKind, Lane, Origin, Segment
from services.catalog.types import Asset
from services.generators.location_templates import describe_location
from services.search.types import RetrievedSegment
from tests.indexer.text.test_language import TEXTS


def _found(kind: AssetKind, segment: Segment) -> RetrievedSegment:
    asset = Asset("d" * 64, "v", kind, "harbour.bin", None, 9, 600, 800, 0.0, 1, 1, (), 0.0)
    return RetrievedSegment(asset, segment, 0.6, {Lane.VISUAL: 0.6}, 0.4)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_names_file_and_place(language: str) -> None:
    question = TEXTS[language]
    span = _found(AssetKind.VIDEO, Segment(0, Origin.PICTURE, start_s=62.0, end_s=70.5))
    page = _found(AssetKind.DOCUMENT, Segment(0, Origin.PICTURE, page=3))
    image = _found(AssetKind.IMAGE, Segment(0, Origin.PICTURE))
    spoken, of_page, of_image = (describe_location(question, found) for found in (span, page, image))
    assert all("harbour.bin" in sentence for sentence in (spoken, of_page, of_image))
    assert "1:02" in spoken and "1:10" in spoken and "3" in of_page
    assert (language == "en") == of_image.startswith("It looks")


def test_a_question_in_no_known_language_is_answered_in_english() -> None:
    image = _found(AssetKind.IMAGE, Segment(0, Origin.PICTURE))
    assert describe_location("AE-8812-X", image) == "It looks like what is shown in harbour.bin."
