"""The command line: lines for people, exit codes that tell."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.cli.main import app
from services.ingest.indexing import Indexing
from services.search.retrieval import Retrieval
from services.settings import describe_variables
from tests.support.cli_runner import RunCommand
from tests.support.containers import copy_home
from tests.support.small_archive import GULLS_QUERY, ROPE_SENTENCE, WITHOUT_MODELS, make_document

SOUP = "How much is the fish soup in the cafe on board?"
NOTICE = "What is the notice period once probation is over?"
COMMANDS = ("index", "search", "ask", "summarize", "list", "show", "delete", "reindex", "doctor", "backup", "restore")
SERVER_COMMANDS = ("serve", "mcp", "worker")


def _check_shape(payload: dict[str, Any], shape: dict[str, Any]) -> None:
    assert list(payload) == list(shape)
    for name, kind in shape.items():
        assert isinstance(payload[name], kind), (name, payload[name])


def test_an_answer_for_people_names_the_place_of_each_sentence(run_command: RunCommand, indexed_home: Path) -> None:
    result = run_command(indexed_home, "ask", NOTICE)
    assert result.exit_code == 0
    assert "eight weeks" in result.stdout
    assert "└ documents/staff_handbook.pdf page 7 · Staff Handbook  (supported)" in result.stdout
    result = run_command(indexed_home, "search", SOUP)
    assert result.stdout.startswith(" 1. videos/welcome_aboard.mp4  1:")


def test_list_is_one_line_for_each_asset_however_long_its_name(run_command: RunCommand, indexed_home: Path) -> None:
    lines = run_command(indexed_home, "list").stdout.splitlines()
    assets = run_command(indexed_home, "list", "--json").json
    assert len(lines) == 1 + len(assets)
    for line, asset in zip(lines[1:], assets, strict=True):
        assert line.startswith(asset["asset"][:12]) and line.rstrip().endswith(asset["name"])


def test_show_for_people_says_what_is_remembered_of_a_video(run_command: RunCommand, indexed_home: Path) -> None:
    detail = run_command(indexed_home, "show", "welcome_aboard.mp4", "--json").json
    lines = run_command(indexed_home, "show", "welcome_aboard.mp4").stdout.splitlines()
    slots = detail["memory"]["global"]
    at = lines.index(f"memory, what happens (global lane): {len(slots)} slots: span ×frames, key frame")
    table = lines[at + 1 : -1]
    assert sum(line.count("×") for line in table) == len(slots)
    assert len(table) == -(-len(slots) // 4)
    assert table[0].startswith("0:00") and f"×{slots[0]['frames']} 0:00" in table[0]
    assert lines[-1].startswith(f"memory, what is new (novelty lane): {len(detail['memory']['novelty'])} slots")
    for name in ("street_sign.jpg", "staff_handbook.pdf"):
        assert run_command(indexed_home, "show", name).stdout.splitlines()[-1] == "memory: only videos have one"


def test_a_memory_is_saved_as_a_sheet_for_each_lane(
    run_command: RunCommand, indexed_home: Path, tmp_path: Path
) -> None:
    result = run_command(indexed_home, "show", "welcome_aboard.mp4", "--save-memory", tmp_path / "[sheets]", "--json")
    paths = sorted((tmp_path / "[sheets]").iterdir())
    assert [path.name for path in paths] == [f"welcome_aboard-memory-{lane}.jpg" for lane in ("global", "novelty")]
    assert result.error_lines == [f"wrote {path}" for path in paths]
    for path, slots in zip(paths, result.json["memory"].values(), strict=True):
        with Image.open(path) as picture:
            assert picture.width * picture.height >= len(slots) * 240 * 135
    result = run_command(indexed_home, "show", "street_sign.jpg", "--save-memory", tmp_path / "none")
    assert (result.exit_code, result.error_lines) == (
        3,
        ["photos/street_sign.jpg: no memory to save: only videos have one"],
    )


def test_a_damaged_memory_is_one_line_and_the_rest_is_shown(run_command: RunCommand, home_copy: Path) -> None:
    asset = run_command(home_copy, "show", "welcome_aboard.mp4", "--json").json["asset"]
    (bank,) = home_copy.glob(f"artifacts/{asset}/*/memory/bank")
    bank.write_bytes(bank.read_bytes()[:5000])
    result = run_command(home_copy, "show", "welcome_aboard.mp4")
    assert (result.exit_code, len(result.error_lines)) == (1, 1)
    assert "memory/bank: does not match its checksum" in result.error_lines[0]
    assert asset in result.stdout
    assert run_command(home_copy, "search", SOUP).exit_code == 0


def test_a_video_without_a_memory_says_how_to_get_one(run_command: RunCommand, archive: Path) -> None:
    film = archive / "videos" / "slipway_2022.webm"
    assert run_command(None, "index", film, visual__model="").exit_code == 0
    said = run_command(None, "show", "slipway_2022.webm", visual__model="")
    assert said.stdout.splitlines()[-1].startswith("memory: none; with the visual lane on")
    assert "`afterimage reindex` builds it" in said.stdout


def test_an_empty_archive_says_how_to_begin(run_command: RunCommand, tmp_path: Path) -> None:
    assert "afterimage index PATH" in run_command(None, "list").stdout
    assert (run_command(None, "list", "--json").json, run_command(None, "search", "anything").exit_code) == ([], 3)
    (tmp_path / "folder").mkdir()
    assert run_command(None, "index", tmp_path / "folder").stdout == "no video, photo or PDF found\n"
    (tmp_path / "folder" / "notes.txt").write_text("not media")
    skipped = run_command(None, "index", tmp_path / "folder").stdout.splitlines()
    assert skipped[0].startswith("skipped notes.txt: ") and skipped[1:] == ["no video, photo or PDF found (1 skipped)"]


@pytest.mark.parametrize("question", [SOUP, NOTICE])
@pytest.mark.parametrize("command", ["ask", "search"])
def test_evidence_is_saved_with_its_box_drawn(
    run_command: RunCommand, indexed_home: Path, tmp_path: Path, command: str, question: str
) -> None:
    folder = tmp_path / "[evidence]"
    result = run_command(indexed_home, command, question, "--save-evidence", folder, "--json")
    if command == "ask":
        cited_place = result.json["sentences"][0]["citations"][0]
        (path,) = folder.glob(f"{cited_place['id']}-*.jpg")
    else:
        cited_place = result.json["hits"][0]
        (path,) = folder.glob("01-*.jpg")
        assert len(list(folder.iterdir())) == len(result.json["hits"])
    assert f"wrote {path}" in result.error_lines
    with Image.open(path) as picture:
        rgb = np.asarray(picture.convert("RGB")).astype(int)
    red = (rgb[..., 0] > 150) & (rgb[..., 1] < 110) & (rgb[..., 2] < 110)
    rows, columns = np.nonzero(red)
    height, width = red.shape
    drawn = [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]
    assert drawn == pytest.approx(cited_place["box"], abs=0.03)


def test_a_place_that_cannot_be_written_to_is_named(
    run_command: RunCommand, indexed_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    said = run_command(indexed_home, "search", SOUP, "--save-evidence", tmp_path / "file" / "x")
    assert said.exit_code == 1
    assert (
        said.error_lines[0].startswith(f"error: {tmp_path / 'file' / 'x'}")
        and "cannot be written" in said.error_lines[0]
    )


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("video", "lifejackets Sandpiper"),
        ("image", "inflatable lifejacket"),
        ("document", "Sandpiper ferry lifejacket"),
    ],
)
def test_only_the_kind_that_was_asked_for_is_found(
    run_command: RunCommand, indexed_home: Path, kind: str, query: str
) -> None:
    hits = run_command(indexed_home, "search", query, "--kind", kind, "--json").json["hits"]
    assert {hit["kind"] for hit in hits} == {kind}


def test_only_in_what_was_named_is_looked(run_command: RunCommand, indexed_home: Path) -> None:
    def search_hits(*options: object) -> list[dict[str, Any]]:
        return list(run_command(indexed_home, "search", SOUP, *options, "--json").json["hits"])

    (name,) = {hit["name"] for hit in search_hits("--asset", "welcome_aboard.mp4")}
    assert name == "videos/welcome_aboard.mp4"
    assert name not in {hit["name"] for hit in search_hits("--asset", "staff_handbook.pdf")}
    assert search_hits("--collection", "default") == search_hits()
    (hit,) = search_hits("--asset", "welcome_aboard.mp4", "--from", 90, "--to", 101, "-n", 1)
    assert hit["end_s"] > 90 and hit["start_s"] < 101
    assert not [hit for hit in search_hits("--from", 0, "--to", 60) if hit["start_s"] >= 60]
    assert not [hit for hit in search_hits("--from", 300) if hit["name"] == name]


def test_only_files_of_the_dates_that_were_asked_for_are_found(run_command: RunCommand, indexed_home: Path) -> None:
    def names(*options: str) -> set[str]:
        hits = run_command(indexed_home, "search", "inflatable lifejacket label", *options, "--json").json["hits"]
        return {hit["name"] for hit in hits}

    everything = names()
    assert "photos/2023/label.jpg" in everything
    early, late = names("--before", "2024-01-01"), names("--after", "2024-01-01T00:00:00")
    assert "photos/2023/label.jpg" in early - late
    assert early | late == everything


def test_what_is_not_there_is_said_in_one_line_and_exit_code_1(
    run_command: RunCommand, indexed_home: Path, tmp_path: Path
) -> None:
    absent = tmp_path / "absent[1].png"
    absent_things: dict[tuple[object, ...], str] = {
        ("show", "nothing.mp4"): "error: no asset 'nothing.mp4'",
        ("show", "label.jpg"): "error: 'label.jpg' fits 2 assets: ",
        ("search", SOUP, "--asset", "nothing.mp4"): "error: no asset 'nothing.mp4'",
        ("ask", SOUP, "--collection", "x[/]"): "error: no collection 'x[/]'; there are default",
        ("search", "--image", absent): f"error: {absent}: ",
        ("index", absent): f"failed {absent}: there is no such file",
    }
    for command, line in absent_things.items():
        said = run_command(indexed_home if command[0] != "index" else None, *command)
        assert (said.exit_code, len(said.error_lines)) == (1, 1), said
        assert said.error_lines[0].startswith(line)


def test_a_picture_cannot_be_looked_for_without_the_visual_lane(
    run_command: RunCommand, archive: Path, indexed_home: Path
) -> None:
    said = run_command(
        indexed_home, "search", "--image", archive / "photos" / "street_sign.jpg", "--json", visual__model=""
    )
    assert (said.exit_code, said.stdout) == (2, "")
    line = "error: a picture can only be looked for with the visual lane on (AFTERIMAGE_VISUAL__MODEL)"
    assert said.error_lines == [line]


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            {"sampling__fsp": 2},
            "error: unknown setting AFTERIMAGE_SAMPLING__FSP; did you mean AFTERIMAGE_SAMPLING__FPS?",
        ),
        ({"sampling__fps": "fast"}, "error: AFTERIMAGE_SAMPLING__FPS: "),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_line(
    run_command: RunCommand, setting: dict[str, object], line: str
) -> None:
    said = run_command(None, "list", "--json", **setting)
    assert (said.exit_code, said.stdout, len(said.error_lines)) == (1, "", 1)
    assert said.error_lines[0].startswith(line)


@pytest.mark.parametrize(
    "command",
    [("bogus",), ("search", "x", "--kind", "song"), ("list", "--after", "soon"), ("index",), ("index", ".", "-c", " ")],
)
def test_wrong_usage_is_exit_code_2(run_command: RunCommand, command: tuple[str, ...]) -> None:
    said = run_command(None, *command)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "Usage: " in said.stderr


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("search",), "error: give a question, or a picture with --image"),
        (("search", ""), "error: give a question, or a picture with --image"),
        (("search", " "), "error: the question is empty"),
        (("ask", " "), "error: the question is empty"),
        (("ask", "why " * 1000), "error: the question has 4000 characters, over the limit of 2000"),
    ],
)
def test_a_question_that_is_none_is_wrong_usage(
    run_command: RunCommand, small_home: Path, command: tuple[str, ...], line: str
) -> None:
    said = run_command(small_home, *command, **WITHOUT_MODELS)
    assert (said.exit_code, said.stdout, said.error_lines) == (2, "", [line])


@pytest.mark.parametrize("command", [("search", "-5"), ("search", "-note the gulls"), ("index", "-clip.mp4")])
def test_an_argument_that_begins_with_a_dash_gets_a_hint(run_command: RunCommand, command: tuple[str, ...]) -> None:
    said = run_command(None, *command)
    assert said.exit_code == 2
    assert "write -- before it" in " ".join(said.stderr.replace("│", " ").split())


def test_after_two_dashes_a_name_may_begin_with_a_dash(
    run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_document(tmp_path / "-clip.pdf", ROPE_SENTENCE)
    monkeypatch.chdir(tmp_path)
    said = run_command(None, "index", "--", "-clip.pdf", **WITHOUT_MODELS)
    assert (said.exit_code, said.stdout.splitlines()[0]) == (0, "indexed -clip.pdf")
    wrong_option = run_command(None, "search", "x", "--colection", "shore")
    assert wrong_option.exit_code == 2 and "write --" not in wrong_option.stderr


def test_ctrl_c_speaks_of_going_on_only_where_a_command_can_be_gone_on_with(
    run_command: RunCommand, small_home: Path, small_archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Retrieval, "search", interrupt)
    monkeypatch.setattr(Indexing, "index_paths", interrupt)
    said = run_command(small_home, "search", "gulls", **WITHOUT_MODELS)
    assert (said.exit_code, said.error_lines) == (130, ["stopped"])
    said = run_command(small_home, "index", small_archive, **WITHOUT_MODELS)
    line = "stopped; what was finished is kept, run the same command again to go on"
    assert (said.exit_code, said.error_lines) == (130, [line])


@pytest.mark.parametrize("command", (*COMMANDS, *SERVER_COMMANDS))
def test_every_command_explains_itself_and_its_options(run_command: RunCommand, command: str) -> None:
    result = run_command(None, command, "--help")
    assert result.exit_code == 0
    explained = next(known for known in app.registered_commands if command in (known.name, known.callback.__name__))
    assert explained.callback.__doc__.split(".")[0] in " ".join(result.stdout.split())
    assert command in SERVER_COMMANDS or "--json" in result.stdout
    assert command in run_command(None, "--help").stdout


def test_the_version_is_that_of_the_package(run_command: RunCommand) -> None:
    said = run_command(None, "--version")
    assert (said.exit_code, said.stdout.strip()) == (0, f"afterimage {metadata.version('afterimage')}")


def test_delete_says_what_it_removed_and_nothing_of_it_is_found(run_command: RunCommand, home_copy: Path) -> None:
    before = run_command(home_copy, "show", "street_sign.jpg", "--json").json
    deletion = run_command(home_copy, "delete", "street_sign.jpg", "--json").json
    _check_shape(deletion, {"asset": str, "name": str, "collections": list, "segments": int, "files": int})
    assert (deletion["asset"], deletion["collections"], deletion["segments"]) == (
        before["asset"],
        ["default"],
        before["segments"],
    )
    assert deletion["files"] >= 4
    assert run_command(home_copy, "show", "street_sign.jpg").exit_code == 1
    hits = run_command(home_copy, "search", "How heavy may a vehicle be in Lightkeeper Lane?", "--json").json["hits"]
    assert "photos/street_sign.jpg" not in {hit["name"] for hit in hits}
    assert run_command(home_copy, "delete", "street_sign.jpg").error_lines == ["error: no asset 'street_sign.jpg'"]
    said = run_command(home_copy, "delete", "lost_property.png")
    assert said.stdout.startswith("photos/lost_property.png: removed from default; ")
    assert said.stdout.endswith("stored files deleted\n") and said.stdout.count("\n") == 1


def test_delete_from_one_collection_leaves_the_other(run_command: RunCommand, home_copy: Path, archive: Path) -> None:
    sign = archive / "photos" / "street_sign.jpg"
    assert run_command(home_copy, "index", sign, "-c", "[signs]").stdout.splitlines()[-1] == "1 indexed"
    assert "[signs]: file:" in run_command(home_copy, "show", sign).stdout
    said = run_command(home_copy, "delete", sign, "-c", "[signs]")
    assert said.stdout == "street_sign.jpg: removed from [signs]; 0 segments and 0 stored files deleted\n"
    assert run_command(home_copy, "show", sign).exit_code == 0


def test_reindex_says_what_it_did(run_command: RunCommand, home_copy: Path) -> None:
    assets = run_command(home_copy, "list", "--json").json
    before = run_command(home_copy, "search", SOUP, "--json").json
    said = run_command(home_copy, "reindex", "--json")
    assert (said.exit_code, said.stderr) == (0, "")
    counts = {"assets": len(assets), "segments": sum(asset["segments"] for asset in assets)}
    assert said.json == {**counts, "encoded_again": 0, "cleared": 0, "damaged": []}
    assert run_command(home_copy, "search", SOUP, "--json").json == before


def test_doctor_probes_every_part(run_command: RunCommand, indexed_home: Path) -> None:
    result = run_command(indexed_home, "doctor", "--json")
    states = {check["part"]: check["state"] for check in result.json["checks"]}
    assert result.exit_code == 0
    on = {"home", "video", "images", "documents", "visual lane", "text lane", "answer reader", "text reader"}
    on |= {"generator", "index", "catalog", "memory", "blobs", "jobs", "speech"}
    assert states == dict.fromkeys(on, "ok")
    (speech,) = [check["detail"] for check in result.json["checks"] if check["part"] == "speech"]
    assert "swing bridge" in speech
    (visual,) = [check["detail"] for check in result.json["checks"] if check["part"] == "visual lane"]
    assert "nothing of the real one" in visual
    lines = run_command(indexed_home, "doctor", visual__model="").stdout.splitlines()
    assert len(lines) == len(states)
    assert [line for line in lines if line.startswith("visual lane") and "AFTERIMAGE_VISUAL__MODEL" in line]


def test_doctor_names_the_part_that_is_broken(run_command: RunCommand, tmp_path: Path) -> None:
    result = run_command(None, "doctor", visual__model=f"local-dir:{tmp_path / 'no[t] there'}")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("visual lane")]
    assert result.exit_code == 1
    assert "failed" in line and str(tmp_path / "no[t] there") in line
    assert [line for line in result.stdout.splitlines() if line.startswith("documents") and "ok" in line]


def test_doctor_lists_every_setting(run_command: RunCommand) -> None:
    said = run_command(None, "doctor", "--settings")
    assert said.exit_code == 0
    assert [line.split()[0] for line in said.stdout.splitlines()] == list(describe_variables())
    assert run_command(None, "doctor", "--settings", "--json").json == describe_variables()


def test_a_lane_that_is_switched_on_with_nothing_in_it_is_told(
    run_command: RunCommand, small_home: Path, tmp_path: Path
) -> None:
    home = copy_home(small_home, tmp_path / "home")
    with_pictures = {name: value for name, value in WITHOUT_MODELS.items() if name != "visual__model"}
    line = "visual lane: 0 of 3 assets have pictures in this lane: afterimage reindex"
    assert run_command(home, "list", **WITHOUT_MODELS).error_lines == []
    assert run_command(home, "list", **with_pictures).error_lines == [line]
    assert line.replace("3", "1") in run_command(home, "list", "-c", "harbour", **with_pictures).error_lines
    searched = run_command(home, "search", GULLS_QUERY, "--json", **with_pictures)
    assert searched.error_lines == [line] and searched.json["hits"]
    parts = {check["part"]: check for check in run_command(home, "doctor", "--json", **with_pictures).json["checks"]}
    assert parts["index"]["state"] == "failed" and line in parts["index"]["detail"]
    rebuilt = run_command(home, "reindex", **(with_pictures | {"ocr__enabled": "true"}))
    assert rebuilt.error_lines == ["text in pictures: 0 of 3 assets were read for it: afterimage index PATH"]
    assert run_command(home, "list", **with_pictures).error_lines == []
