"""The real vLLM that `make vllm` runs, and the model in this process on the same weights; skipped without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from demoworld.world.scene import Scene
from services.generators.onevision.generator import OneVisionGenerator
from services.generators.onevision.prompt_template import PROMPT_TEMPLATE_FILE, load_prompt_template
from services.generators.openai_compatible.client import ChatClient
from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
from services.generators.openai_compatible.limits import TokenBudget
from tests.demoworld.test_onevision_weights import WEIGHTS, _jpegs, _scenes

ChatGeneratorMaker = Callable[..., OpenAiCompatibleGenerator]
FRAME_TOKENS = 16
BUDGET = TokenBudget(max_prompt_tokens=6000, frame_tokens=FRAME_TOKENS, image_tokens=137, max_images=0)


@pytest.fixture(scope="session")
def server_url() -> str:
    """The URL of the server, up to `/v1`."""
    url = os.environ.get("AFTERIMAGE_TEST_VLLM_URL", "")
    if not url:
        pytest.skip("`make vllm` runs these tests against a real vLLM")
    return url


@pytest.fixture(scope="session")
def scenes(server_url: str) -> list[Scene]:
    """Pictures of one known thing each."""
    return _scenes(40)


@pytest.fixture(scope="session")
def make_chat(server_url: str, scenes: list[Scene]) -> ChatGeneratorMaker:
    """Make the adapter with a budget and a model's name."""

    def make(budget: TokenBudget = BUDGET, model: str = "") -> OpenAiCompatibleGenerator:
        return OpenAiCompatibleGenerator(ChatClient(server_url, "", 120), _jpegs(scenes), budget, model, 64)

    return make


@pytest.fixture(scope="session")
def chat(make_chat: ChatGeneratorMaker) -> OpenAiCompatibleGenerator:
    """The adapter."""
    return make_chat()


@pytest.fixture(scope="session")
def in_process(scenes: list[Scene], tmp_path_factory: pytest.TempPathFactory) -> OneVisionGenerator:
    """The same weights in this process, in the layout that vLLM gives them: no system prompt, a newline after a video.

    The checkpoint's own layout has no newline, which vLLM puts there whatever a template says.
    """
    folder = tmp_path_factory.mktemp("weights")
    for file in WEIGHTS.iterdir():
        (folder / file.name).symlink_to(file)
    template = load_prompt_template(WEIGHTS)
    layout: Path = folder / PROMPT_TEMPLATE_FILE
    layout.unlink()
    layout.write_bytes(msgspec.json.encode({**msgspec.to_builtins(template), "newline": True}))
    return OneVisionGenerator(
        f"local-dir:{folder}",
        _jpegs(scenes),
        max_prompt_tokens=6000,
        max_output_tokens=64,
        device="cpu",
        precision="fp32",
    )
