"""`afterimage ask` and `doctor` with a model behind a server."""

from __future__ import annotations

from pathlib import Path

from services.generators.prompts import entailment_prompt
from tests.support.cli_runner import CommandResult, RunCommand
from tests.support.fake_vllm import FakeVllm, run_fake_vllm

NOTICE = "What is the notice period once probation is over?"
API_KEY = "sk-very-secret"


def _run_with_server(
    run_command: RunCommand, home: Path, fake: FakeVllm, *arguments: str, quote_text: bool = False
) -> CommandResult:
    return run_command(
        home,
        *arguments,
        generator__kind="openai_compatible",
        generator__quote_text=quote_text,
        generator__model="",
        generator__max_prompt_tokens=8192,
        generator__url=fake.url,
        generator__api_key=API_KEY,
        generator__timeout_s=60,
    )


def test_what_the_server_says_is_cited(run_command: RunCommand, indexed_home: Path) -> None:
    chunks = ["It is eight ", "weeks [P1]. It is long [P99]. And short."]
    with run_fake_vllm(api_key=API_KEY, chunks=chunks, first_token_probabilities={"No": 1.0}) as fake:
        said = _run_with_server(run_command, indexed_home, fake, "ask", NOTICE, "--json")
    assert (said.exit_code, said.stderr) == (0, "")
    (sentence,) = said.json["sentences"]
    assert (sentence["text"], sentence["verdict"]) == ("It is eight weeks.", "supported")
    (citation,) = sentence["citations"]
    assert (citation["name"], citation["page"]) == ("documents/staff_handbook.pdf", 7)
    (asked,) = [request for request in fake.requests if request["stream"]]
    texts = [part["text"] for part in asked["messages"][1]["content"] if part["type"] == "text"]
    assert texts[-1] == f"Question: {NOTICE}" and any("eight weeks" in text for text in texts)
    checked = {request["messages"][1]["content"][-1]["text"] for request in fake.requests if not request["stream"]}
    assert checked == {entailment_prompt("It is long."), entailment_prompt("And short.")}


def test_what_the_evidence_does_not_show_is_no_answer(run_command: RunCommand, indexed_home: Path) -> None:
    with run_fake_vllm(api_key=API_KEY, chunks=["Not shown in the evidence."]) as fake:
        said = _run_with_server(run_command, indexed_home, fake, "ask", NOTICE)
    assert (said.exit_code, said.stdout) == (3, "Nothing in the archive answers this.\n")


def test_a_server_that_is_down_is_one_line_and_exit_code_1(run_command: RunCommand, indexed_home: Path) -> None:
    with run_fake_vllm() as fake:
        pass
    said = _run_with_server(run_command, indexed_home, fake, "ask", NOTICE)
    assert (said.exit_code, said.stdout) == (1, "")
    (line,) = said.error_lines
    assert line.startswith(f"error: {fake.url}: cannot be reached") and API_KEY not in line


def test_doctor_asks_the_server_where_text_is_quoted_too(run_command: RunCommand, indexed_home: Path) -> None:
    with run_fake_vllm(api_key=API_KEY) as fake:
        described = _run_with_server(run_command, indexed_home, fake, "doctor", quote_text=True)
        fake.chunks = []
        silent = _run_with_server(run_command, indexed_home, fake, "doctor", quote_text=True)
        fake.status = 500
        broken = _run_with_server(run_command, indexed_home, fake, "doctor", quote_text=True)
    assert described.exit_code == 0 and "openai_compatible:first-model+extractive" in described.stdout
    assert silent.exit_code == 1 and "did not describe a picture" in silent.stdout
    assert broken.exit_code == 1 and "it answered 500" in broken.stdout


def test_doctor_asks_the_server(run_command: RunCommand, indexed_home: Path) -> None:
    with run_fake_vllm(api_key=API_KEY, chunks=["It says AFTERIMAGE 2026 [I1]."]) as fake:
        healthy = _run_with_server(run_command, indexed_home, fake, "doctor")
        assert [part["type"] for part in fake.last_user_parts] == ["text", "image_url", "text", "text"]
        fake.chunks = ["A boat."]
        silent = _run_with_server(run_command, indexed_home, fake, "doctor")
        fake.api_key = "another"
        refused = _run_with_server(run_command, indexed_home, fake, "doctor", "--json")
    assert healthy.exit_code == 0 and "openai_compatible:first-model is ready" in healthy.stdout
    assert silent.exit_code == 1 and "with the id of its evidence" in silent.stdout
    (check,) = [check for check in refused.json["checks"] if check["part"] == "generator"]
    assert check["state"] == "failed" and "refuses the key" in check["detail"] and API_KEY not in refused.stdout
