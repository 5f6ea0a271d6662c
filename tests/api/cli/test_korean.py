"""The command line in Korean: what commands print with AFTERIMAGE_LANG=ko, and what stays English."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from services.answering.abstention import NOTHING_FOUND, NOTHING_FOUND_IN
from tests.support.bad_files import BAD_FILES, write_pdf
from tests.support.cli_runner import CommandResult, RunCommand
from tests.support.containers import copy_home
from tests.support.fake_vllm import run_fake_vllm
from tests.support.read_only_storage import read_only
from tests.support.small_archive import GULLS_QUERY, ROPE_QUERY, SHORE, WITHOUT_MODELS

NOTHING_FOUND_KOREAN = NOTHING_FOUND_IN["ko"]
ROPE_QUESTION, STRANGE_QUESTION = "What does the mooring rope cost?", "Who wrote the opera?"


@pytest.fixture(autouse=True)
def _korean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_LANG", "ko")


def _run(run_command: RunCommand, home: Path | None, *arguments: object, **settings: str) -> CommandResult:
    return run_command(home, *arguments, **{**WITHOUT_MODELS, **settings})


def test_indexing_tells_each_file_and_why_one_cannot_be_read(
    run_command: RunCommand, media_folder: Path, tmp_path: Path
) -> None:
    (media_folder / "empty.mp4").touch()
    (media_folder / "notes.txt").write_text("no media")
    write_pdf(media_folder / "locked.pdf", "locked", "secret")
    result = _run(run_command, tmp_path / "home", "index", media_folder)
    assert result.exit_code == 1
    assert "색인 good.pdf" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "실패 2개, 색인 1개, 건너뜀 1개"
    assert result.error_lines == ["실패 empty.mp4: 비어 있습니다", "실패 locked.pdf: 암호가 필요합니다"]
    again = _run(run_command, tmp_path / "home", "index", media_folder / "good.pdf")
    assert again.stdout == "그대로 good.pdf\n그대로 1개\n"


@pytest.mark.parametrize("name", [name for name in BAD_FILES if name != "bomb.png"])
def test_the_reason_of_every_bad_file_is_korean(run_command: RunCommand, tmp_path: Path, name: str) -> None:
    (tmp_path / "media").mkdir()
    BAD_FILES[name][0](tmp_path / "media" / name)
    (line,) = _run(run_command, tmp_path / "home", "index", tmp_path / "media").error_lines
    named, _, reason = line.partition(f"{name}: ")
    assert named.startswith("실패 ") and re.match("[^a-z]*[가-힣]", reason), line


def test_results_and_answers_are_korean_around_what_the_archive_says(run_command: RunCommand, small_home: Path) -> None:
    found = _run(run_command, small_home, "search", ROPE_QUERY)
    assert "prices.pdf  2쪽" in found.stdout
    answer = _run(run_command, small_home, "ask", ROPE_QUESTION)
    assert "The mooring rope costs forty crowns." in answer.stdout
    assert "prices.pdf 2쪽  (확인됨)" in answer.stdout
    nothing = _run(run_command, small_home, "search", "zeppelin")
    assert (nothing.exit_code, nothing.stdout) == (3, "찾은 것이 없습니다. 더 약한 결과 보기: --weaker\n")


def test_an_abstention_is_in_korean(run_command: RunCommand, small_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for question in (STRANGE_QUESTION, "오페라는 누가 썼습니까?"):
        result = _run(run_command, small_home, "ask", question)
        assert (result.exit_code, result.stdout) == (3, f"{NOTHING_FOUND_KOREAN}\n")
    monkeypatch.setenv("AFTERIMAGE_LANG", "en")
    assert _run(run_command, small_home, "ask", "오페라는 누가 썼습니까?").stdout == f"{NOTHING_FOUND_KOREAN}\n"
    assert _run(run_command, small_home, "ask", STRANGE_QUESTION).stdout == f"{NOTHING_FOUND}\n"


def test_json_stays_english_but_for_the_abstention_to_a_korean_question(
    run_command: RunCommand, small_home: Path, tmp_path: Path
) -> None:
    assert _run(run_command, small_home, "ask", STRANGE_QUESTION, "--json").json["answer"] == NOTHING_FOUND
    assert (
        _run(run_command, small_home, "ask", "오페라는 누가 썼나요?", "--json").json["answer"] == NOTHING_FOUND_KOREAN
    )
    (tmp_path / "empty.mp4").touch()
    (source,) = _run(run_command, tmp_path / "home", "index", tmp_path / "empty.mp4", "--json").json["sources"]
    assert (source["outcome"], source["reason"]) == ("failed", "is empty")
    checks = _run(run_command, small_home, "doctor", "--json").json["checks"]
    assert {"part": "video", "state": "ok", "detail": "decodes H.264"} in checks


def test_http_stays_english_but_for_the_abstention_to_a_korean_question(read_only_client: httpx2.Client) -> None:
    answers = [
        read_only_client.post("/v1/ask", json={"question": question}).json()["answer"]
        for question in (STRANGE_QUESTION, "오페라는 누가 썼나요?")
    ]
    assert answers == [NOTHING_FOUND, NOTHING_FOUND_KOREAN]
    missing = "0" * 64
    assert read_only_client.get(f"/v1/assets/{missing}").json()["detail"] == f"no asset '{missing}'"


def test_names_and_tables_are_korean(run_command: RunCommand, small_home: Path) -> None:
    listed = _run(run_command, small_home, "list")
    assert listed.stdout.split()[:5] == ["자산", "종류", "길이", "세그먼트", "이름"]
    assert "2쪽" in listed.stdout
    shown = _run(run_command, small_home, "show", "gulls.mp4").stdout
    assert "컬렉션" not in shown and f"{SHORE}: " in shown
    assert "(파일이 마지막으로 바뀐 때)" in shown
    assert "메모리: 없음. visual 레인과" in shown
    keys = _run(run_command, small_home, "keys", "list")
    assert keys.stdout == "키가 없습니다. `afterimage keys create NAME`으로 만들 수 있습니다.\n"


def test_doctor_says_in_korean_what_is_on_and_off(run_command: RunCommand, small_home: Path) -> None:
    lines = _run(run_command, small_home, "doctor").stdout.splitlines()
    states = {line[:12].strip(): line[12:].strip() for line in lines}
    assert any(line.startswith("홈 폴더") and "정상" in line and "쓸 수 있음, 여유 공간" in line for line in lines), (
        states
    )
    assert any(line.startswith("작업") and "inline: index 대기 0개, summarize 대기 0개" in line for line in lines)
    assert any("꺼짐" in line and "음성을 받아쓰지 않습니다" in line for line in lines)
    assert not [line for line in lines if "failed" in line or "no model" in line]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", " "), "질문이 비어 있습니다"),
        (("search",), "질문을 쓰거나 --image로 사진을 지정하십시오"),
        (("search", GULLS_QUERY, "-c", "nowhere"), "컬렉션을 찾을 수 없습니다: 'nowhere'. 있는 컬렉션: harbour, shore"),
        (("show", "nothing.mp4"), "자산을 찾을 수 없습니다: 'nothing.mp4'"),
        (("jobs", "show", "17"), "작업을 찾을 수 없습니다: '17'"),
        (("summarize", "prices.pdf"), "prices.pdf: 영상만 요약할 수 있습니다"),
        (("restore", "/nowhere"), "/nowhere: 백업이 아니거나 중단된 백업입니다 (backup.json 없음)"),
    ],
)
def test_errors_are_korean(run_command: RunCommand, small_home: Path, arguments: tuple[str, ...], message: str) -> None:
    result = _run(run_command, small_home, *arguments)
    assert result.error_lines == [f"오류: {message}"]
    assert result.exit_code in (1, 2)


def test_a_server_that_is_down_or_refuses_the_key_is_told(run_command: RunCommand, small_home: Path) -> None:
    server = {
        "generator__kind": "openai_compatible",
        "generator__model": "",
        "generator__quote_text": "false",
        "generator__timeout_s": "60",
    }
    with run_fake_vllm(api_key="right") as fake:
        server |= {"generator__url": fake.url, "generator__api_key": "wrong-key"}
        (refused,) = _run(run_command, small_home, "ask", ROPE_QUESTION, **server).error_lines
    assert refused.startswith(f"오류: {fake.url}: 서버가 키를 거부했습니다 (")
    (down,) = _run(run_command, small_home, "ask", ROPE_QUESTION, **server).error_lines
    assert down.startswith(f"오류: {fake.url}: 연결할 수 없습니다 (")


def test_a_home_on_read_only_storage_is_told(run_command: RunCommand, small_home: Path, tmp_path: Path) -> None:
    home = copy_home(small_home, tmp_path / "home")
    write_pdf(tmp_path / "new.pdf", "new")
    with read_only(home):
        (line,) = _run(run_command, home, "index", tmp_path / "new.pdf").error_lines
    assert line.startswith("오류: 아카이브가 읽기 전용 저장소에 있습니다.")


def test_deleting_is_told_in_korean(run_command: RunCommand, small_home: Path, tmp_path: Path) -> None:
    home = copy_home(small_home, tmp_path / "home")
    deleted = _run(run_command, home, "delete", "prices.pdf", "--yes").stdout
    assert deleted.startswith("prices.pdf: harbour에서 삭제했습니다. 세그먼트 ")


def test_help_and_wrong_usage_are_korean(run_command: RunCommand) -> None:
    text = _run(run_command, None, "search", "--help").stdout
    assert "사용법: " in text and "장면, 페이지, 사진을 찾습니다." in text
    assert "인자" in text and "옵션" in text and "결과의 최대 개수." in text
    wrong = _run(run_command, None, "search", "--limit", "0", "x")
    assert wrong.exit_code == 2 and "값이 잘못되었습니다: 1 이상이어야 합니다" in wrong.stderr
    unknown = _run(run_command, None, "serch")
    assert "없는 명령입니다: 'serch'. 혹시 'search', 'serve'입니까?" in unknown.stderr
    blank = _run(run_command, None, "index", "x", "-c", " ")
    assert "컬렉션에는 이름이 필요합니다" in blank.stderr


def test_a_long_help_text_loses_no_letter(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    for width in range(70, 110, 5):
        monkeypatch.setenv("COLUMNS", str(width))
        assert "…" not in _run(run_command, None, "watch", "--help").stdout.replace("PATHS…", "")


def test_the_locale_decides_where_the_setting_is_empty(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AFTERIMAGE_", "LC_", "LANG"))}
    environ |= {"LANG": "ko_KR.UTF-8", "PYTHONUTF8": "1", "AFTERIMAGE_HOME": str(tmp_path)}
    program = "import sys; from api.cli.entry import main; sys.argv = ['afterimage', *sys.argv[1:]]; main()"
    command = [sys.executable, "-c", program, "summarize"]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert "도움말: 'afterimage summarize --help'" in result.stderr
    assert "인자가 없습니다: 'asset'." in result.stderr
    environ |= {"AFTERIMAGE_LANG": "en"}
    english = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert "Missing argument 'asset'." in english.stderr


def test_an_unknown_language_is_an_error(tmp_path: Path) -> None:
    environ = os.environ | {"AFTERIMAGE_LANG": "de", "AFTERIMAGE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "api.cli", "list"]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert result.stderr == "error: AFTERIMAGE_LANG: there is no language 'de'; there are en, ko\n"
    assert result.returncode == 1
