"""The command as a process: closed pipes and interrupts end it quietly, and leave no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.cli_runner import RunCommand
from tests.support.waiting import TIMEOUT_S

PAGES = 60


def _start(home: Path, *arguments: object) -> subprocess.Popen[str]:
    settings = {"AFTERIMAGE_HOME": str(home), "AFTERIMAGE_PROFILE": "demo", "AFTERIMAGE_SAMPLING__CHECKPOINT_S": "5"}
    command = [sys.executable, "-m", "api.cli", *(str(argument) for argument in arguments)]
    return subprocess.Popen(
        command,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_restore_sigint,
    )


def _restore_sigint() -> None:
    """Tests that run in a shell's background are started with SIGINT ignored, and would hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_reader_that_has_enough_ends_the_command_quietly(indexed_home: Path) -> None:
    for options in ((), ("--json",)):
        run = _start(indexed_home, "list", *options)
        assert run.stdout is not None and run.stderr is not None
        run.stdout.close()
        errors = run.stderr.read()
        run.stderr.close()
        run.wait()
        assert errors == ""


def _run_entry(main_module: str) -> subprocess.CompletedProcess[str]:
    """Run the entry point over a stand-in for `api.cli.main`, in which Ctrl-C comes at exact moments."""
    program = f"""
import sys, types
from api.cli import entry
class Finder:
    def find_spec(self, name, *_):
        if name == "api.cli.main":
            module = types.ModuleType(name)
            exec(CODE, module.__dict__)
            sys.modules[name] = module
            from importlib.machinery import ModuleSpec
            return ModuleSpec(name, self)
    def create_module(self, spec): return sys.modules[spec.name]
    def exec_module(self, module): pass
CODE = {main_module!r}
sys.meta_path.insert(0, Finder())
entry.main()
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, preexec_fn=_restore_sigint
    )


@pytest.mark.parametrize(
    "main_module",
    [
        "import signal; signal.raise_signal(signal.SIGINT)",
        """
import signal
def main():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGINT)
""",
        """
import atexit, signal
def main():
    atexit.register(signal.raise_signal, signal.SIGINT)
""",
    ],
    ids=["during imports", "while it is stopped", "when it is done"],
)
def test_ctrl_c_ends_the_process_quietly_at_any_moment(main_module: str) -> None:
    ended = _run_entry(main_module)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.slow
def test_an_interrupted_run_says_so_leaves_no_process_and_is_continued(tmp_path: Path, run_command: RunCommand) -> None:
    home, paper = tmp_path / "home", tmp_path / "paper.pdf"
    canvas = Canvas(str(paper), invariant=True)
    for page in range(PAGES):
        canvas.drawString(60, 700, f"Page {page}: the ferry number {page * 7} leaves at noon.")
        canvas.showPage()
    canvas.save()
    run = _start(home, "index", paper)
    try:
        while run.poll() is None and not list(home.glob("artifacts/*/*/00003.json")):
            time.sleep(0.02)
        children = psutil.Process(run.pid).children(recursive=True)
        assert children
        run.send_signal(signal.SIGINT)
        out, errors = run.communicate(timeout=TIMEOUT_S)
    finally:
        run.kill()
    line = "stopped; what was finished is kept, run the same command again to go on"
    assert (run.returncode, out, errors.splitlines()) == (130, "", [line])
    assert not psutil.wait_procs(children, timeout=TIMEOUT_S)[1]
    assert run_command(home, "list", "--json").json == []
    checkpoint_times = {path: path.stat().st_mtime_ns for path in home.glob("artifacts/*/*/*.json")}
    assert 4 <= len(checkpoint_times) < PAGES
    assert run_command(home, "index", paper, sampling__checkpoint_s=5).stdout.splitlines() == [
        "indexed paper.pdf",
        "1 indexed",
    ]
    assert {path: path.stat().st_mtime_ns for path in checkpoint_times} == checkpoint_times
    (asset,) = run_command(home, "list", "--json").json
    assert asset["pages"] == PAGES
    assert run_command(home, "search", f"the ferry number {7 * (PAGES - 1)}", "--json").json["hits"][0]["page"] == PAGES
