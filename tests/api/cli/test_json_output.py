"""`--json` of the commands: one shape for each kind of result, with places and exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_runner import RunCommand

NUMBER = (int, float)
HIT = {
    "asset": str,
    "name": str,
    "kind": str,
    "start_s": (*NUMBER, type(None)),
    "end_s": (*NUMBER, type(None)),
    "page": (int, type(None)),
    "box": (list, type(None)),
    "origin": str,
    "modality": str,
    "text": str,
    "score": float,
    "lanes": dict,
    "context": list,
    "gone": bool,
}
CITATION = {
    "id": str,
    **{name: kind for name, kind in HIT.items() if name not in ("text", "score", "lanes", "context", "gone")},
}
CITATION |= {"quote": str, "context": list, "gone": bool}
SENTENCE = {"text": str, "verdict": str, "score": float, "citations": list}
ASSET = {
    "asset": str,
    "name": str,
    "kind": str,
    "duration_s": (*NUMBER, type(None)),
    "pages": (int, type(None)),
    "width": int,
    "height": int,
    "segments": int,
    "sampled_fps": (*NUMBER, type(None)),
    "warnings": list,
    "gone": bool,
}
SLOT = {"start_s": float, "end_s": float, "frames": int, "medoid_s": float, "children": list}
SOUP = "How much is the fish soup in the cafe on board?"
NOTICE = "What is the notice period once probation is over?"
UNRELATED = "How do I prune an apple tree in spring?"


def _check_shape(payload: dict[str, Any], shape: dict[str, Any]) -> None:
    assert list(payload) == list(shape)
    for name, kind in shape.items():
        assert isinstance(payload[name], kind), (name, payload[name])


def _check_location(payload: dict[str, Any]) -> None:
    """A time in a video, a page of a document, neither in an image; a box inside the picture."""
    video, document = payload["kind"] == "video", payload["kind"] == "document"
    assert (payload["start_s"] is not None) == (payload["end_s"] is not None) == video
    assert (payload["page"] is not None) == document
    if video:
        assert 0 <= payload["start_s"] < payload["end_s"]
    if payload["box"] is not None:
        x0, y0, x1, y1 = payload["box"]
        assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


@pytest.mark.parametrize("question", [SOUP, NOTICE, "price of the mooring rope"])
def test_search_for_machines_gives_hits_of_one_shape(
    run_command: RunCommand, indexed_home: Path, question: str
) -> None:
    result = run_command(indexed_home, "search", question, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(result.json) == ["hits"]
    assert result.json["hits"]
    for hit in result.json["hits"]:
        _check_shape(hit, HIT)
        _check_location(hit)
        assert 0.5 < hit["score"] < 1
        assert set(hit["lanes"]) <= {"visual", "text", "keywords"} and hit["lanes"]
        assert 0.5 < hit["score"] < 1


@pytest.mark.parametrize(
    ("question", "name", "kind"),
    [(SOUP, "videos/welcome_aboard.mp4", "video"), (NOTICE, "documents/staff_handbook.pdf", "document")],
)
def test_ask_for_machines_gives_sentences_with_citations(
    run_command: RunCommand, indexed_home: Path, question: str, name: str, kind: str
) -> None:
    result = run_command(indexed_home, "ask", question, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    _check_shape(result.json, {"answer": str, "abstained": bool, "sentences": list})
    assert result.json["abstained"] is False
    assert result.json["answer"] == " ".join(sentence["text"] for sentence in result.json["sentences"])
    for sentence in result.json["sentences"]:
        _check_shape(sentence, SENTENCE)
        assert sentence["verdict"] in ("supported", "unclear")
        assert sentence["citations"]
        for citation in sentence["citations"]:
            _check_shape(citation, CITATION)
            _check_location(citation)
    first = result.json["sentences"][0]["citations"][0]
    assert (first["name"], first["kind"]) == (name, kind)


def test_nothing_found_is_a_shape_too_and_exit_code_3(run_command: RunCommand, indexed_home: Path) -> None:
    result = run_command(indexed_home, "search", UNRELATED, "--json")
    assert (result.exit_code, result.json, result.stderr) == (3, {"hits": []}, "")
    result = run_command(indexed_home, "ask", UNRELATED, "--json")
    assert (result.exit_code, result.stderr) == (3, "")
    answer = "Nothing in the archive answers this."
    assert result.json == {"answer": answer, "abstained": True, "sentences": []}
    assert run_command(indexed_home, "search", UNRELATED).stdout == "Nothing found. Weaker results: --weaker\n"
    assert run_command(indexed_home, "ask", UNRELATED).stdout == f"{answer}\n"


def test_list_and_show_for_machines_give_assets_of_one_shape(run_command: RunCommand, indexed_home: Path) -> None:
    assets = run_command(indexed_home, "list", "--json").json
    assert {asset["kind"] for asset in assets} == {"video", "image", "document"}
    for asset in assets:
        _check_shape(asset, ASSET)
        assert (asset["duration_s"] is not None) == (asset["sampled_fps"] is not None) == (asset["kind"] == "video")
        assert (asset["pages"] is not None) == (asset["kind"] == "document")
    first_asset = assets[0]
    for name in (first_asset["asset"], first_asset["asset"][:8], first_asset["name"]):
        detail = run_command(indexed_home, "show", name, "--json").json
        stated = {"file_time": (*NUMBER, type(None)), "date_source": str, "metadata": list}
        _check_shape(detail, {**ASSET, "memory": (dict, type(None)), **stated})
        assert {key: detail[key] for key in ASSET} == first_asset


def test_show_for_machines_gives_the_slots_of_a_videos_memory(run_command: RunCommand, indexed_home: Path) -> None:
    detail = run_command(indexed_home, "show", "welcome_aboard.mp4", "--json").json
    assert list(detail["memory"]) == ["global", "novelty"]
    for slots in detail["memory"].values():
        for slot in slots:
            _check_shape(slot, SLOT)
            assert slot["start_s"] <= slot["medoid_s"] < slot["end_s"]
            assert not slot["children"] or sum(child["frames"] for child in slot["children"]) == slot["frames"]
        assert [slot["start_s"] for slot in slots] == [0.0, *(slot["end_s"] for slot in slots[:-1])]
        assert slots[-1]["end_s"] == detail["duration_s"]
    assert run_command(indexed_home, "show", "street_sign.jpg", "--json").json["memory"] is None
