"""The generator wired into the services: memory of its own tokens, recalled frames, questions asked of an archive."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from indexer.errors import SettingsError
from indexer.types import SegmentFilter
from memory.store import StoredMemory
from services.container import Container
from services.generators.onevision.engine import Engine
from services.search.types import Query
from tests.support.containers import MakeContainer


def _onevision_container(make_container: MakeContainer, home: Path, folder: Path, **settings: object) -> Container:
    return make_container(
        home,
        generator__kind="onevision",
        generator__quote_text=False,
        generator__model=f"local-dir:{folder}",
        generator__max_prompt_tokens=3600,
        generator__max_output_tokens=24,
        **settings,
    )


@pytest.mark.slow
def test_a_question_is_asked_with_frames_memory_and_text(
    make_container: MakeContainer, home_copy: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = _onevision_container(make_container, home_copy, tiny_model_folder)
    visual_parts: list[int] = []
    real = Engine.prefill

    def counted(self, parts, prefix):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        visual_parts.append(sum(isinstance(part, torch.Tensor) for part in parts))
        return real(self, parts, prefix)

    monkeypatch.setattr(Engine, "prefill", counted)
    question = "What happens when a sailing is cancelled in bad weather?"
    evidence = container.answering.gather_evidence(question, SegmentFilter())
    ids = [one.id[0] for one in evidence]
    assert ids == sorted(ids, key=lambda letter: letter == "M") and {"F", "M"} <= set(ids)
    evidence_of_detail = container.answering.gather_evidence(
        "Who may cancel a sailing in bad weather?", SegmentFilter()
    )
    assert evidence_of_detail and not any(one.id.startswith("M") for one in evidence_of_detail)
    answer = container.answering.ask(question, SegmentFilter())
    assert answer.abstained == (not answer.sentences)
    assert 10 < visual_parts[0] <= ids.count("M") + 1
    assert visual_parts[1] >= 2
    count = len(visual_parts)
    container.answering.ask("What happened when a sailing was not cancelled?", SegmentFilter())
    assert len(visual_parts) > count and visual_parts[0] not in visual_parts[count:]


@pytest.mark.slow
def test_a_memory_of_the_generators_own_tokens_is_injected(
    make_container: MakeContainer, archive: Path, tmp_path: Path, tiny_model_folder: Path
) -> None:
    container = _onevision_container(
        make_container, tmp_path / "home", tiny_model_folder, memory__token_source="onevision"
    )
    (line,) = container.indexing.index_paths([archive / "videos" / "welcome_aboard.mp4"], "default")
    assert line.asset is not None, line.reason
    memory = container.video_memory.memory(line.asset)
    assert isinstance(memory, StoredMemory)
    assert memory.manifest.model == container.token_encoder.model_id  # type: ignore[union-attr]
    assert (memory.manifest.positions, memory.manifest.width) == (4, 32)
    found = container.retrieval.retrieve_evidence(Query("welcome aboard"), SegmentFilter(), 3)
    assert found
    described = container.answering.gather_evidence("Describe the welcome aboard.", SegmentFilter())
    slots = [one for one in described if one.id[0] == "M"]
    assert slots and all(one.visual_tokens is not None and one.visual_tokens.shape == (4, 32) for one in slots)
    assert list(container.generator.answer("What is said?", slots)) is not None


def test_a_memory_of_onevision_tokens_needs_the_generator(make_container: MakeContainer, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="AFTERIMAGE_GENERATOR__KIND is not onevision"):
        make_container(tmp_path, generator__kind="extractive", memory__token_source="onevision").token_encoder  # noqa: B018
