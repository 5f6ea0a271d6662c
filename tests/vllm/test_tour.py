"""The questions of `make demo`, with vLLM in place of the model in process: what the drawn world shows is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_SETTINGS = {
    "KIND": "openai_compatible",
    "MODEL": "",
    "FRAME_TOKENS": "16",
    "MAX_IMAGES": "0",
    "MAX_VIDEOS": "16",
}
_ANSWER_AND_TRUTH = re.compile(r"^\$ afterimage ask (.+)\n((?:.*\n)+?) +\(in truth: (.+)\)$", re.MULTILINE)
_NOTHING = "Nothing in the archive answers this."


def test_the_tour_is_answered_as_the_truth_has_it(server_url: str, tmp_path: Path) -> None:
    environment = {f"AFTERIMAGE_GENERATOR__{name}": value for name, value in _SETTINGS.items()}
    environment["AFTERIMAGE_GENERATOR__URL"] = server_url
    said = subprocess.run(
        [sys.executable, "-m", "demoworld.demo", str(tmp_path)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(said.stdout)
    assert said.returncode == 0
    told = _ANSWER_AND_TRUTH.findall(said.stdout)
    assert len(told) == 5
    for question, answer, truth in told:
        expected = _NOTHING if truth == "not shown" else truth
        assert expected.casefold() in answer.casefold(), question
