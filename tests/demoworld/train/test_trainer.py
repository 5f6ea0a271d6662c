"""The stages of training: labels are true, batches are seeded, a stopped stage goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from demoworld.train import trainer
from demoworld.train.alignment_stages import TEXT_ALIGNMENT, ContrastiveModel
from demoworld.train.captions import CaptionBatches, perturb_claim, sample_true_claim
from demoworld.train.open_clip_model import CONTEXT_LENGTH, make_model, save_model
from demoworld.train.scene_batches import CONCEPT_COUNT, PictureBatches, evaluate_claims, render_batch
from demoworld.train.trainer import Trainer
from demoworld.train.vision_stage import VisionStageModel
from demoworld.train.vocabulary import build_vocabulary, split_words
from demoworld.world.claims import QUERY_TEMPLATES, VisibleContent, evaluate_claim, phrase_claim
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES
from demoworld.world.random_scenes import Split, is_held_out, sample_scene


@pytest.fixture(scope="module")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("weights")
    save_model(make_model(7), target)
    return target


def test_batches_are_the_same_whoever_makes_them_and_differ_by_number() -> None:
    batches, later = PictureBatches(3, 4, 10), PictureBatches(3, 4, 10, first=2)
    assert len(later) == 8
    assert torch.equal(batches[2].pixels, later[0].pixels)
    assert not torch.equal(batches[1].pixels, batches[2].pixels)


def test_tokens_name_the_concepts_that_are_counted() -> None:
    for number in range(4):
        pictures = PictureBatches(5, 8, 10)[number]
        for tokens, counts in zip(pictures.patch_classes, pictures.counts, strict=True):
            named = {int(token) for token in tokens if token < CONCEPT_COUNT}
            assert named <= set(torch.nonzero(counts).flatten().tolist())


def test_the_truth_of_texts_about_pictures_is_that_of_the_claims() -> None:
    rng = np.random.default_rng(1)
    scenes = [sample_scene(rng, Split.TRAIN) for _ in range(40)]
    pictures, seen = render_batch(scenes, rng)
    claims = [
        perturb_claim(sample_true_claim(one, rng), rng) if n % 2 else sample_true_claim(one, rng)
        for n, one in enumerate(seen)
    ]
    true, known = evaluate_claims([*claims, None], pictures)
    for row, claim in enumerate(claims):
        for column, scene_truth in enumerate(seen):
            if known[row, column]:
                assert evaluate_claim(claim, scene_truth) is bool(true[row, column])
            else:
                assert scene_truth.unclear & {name for name, _ in claim.things}
    assert not true[-1].any()


def test_nothing_is_learnt_about_the_pairs_that_are_held_out() -> None:
    pictures = PictureBatches(4, 16, 1)[0]
    for counts, place in zip(pictures.counts, pictures.place, strict=True):
        out = [number for number, known in enumerate(load_concepts()) if is_held_out(known.name, PLACES[place].name)]
        assert out
        assert (counts[out] == -1).all()
    present, known = pictures.attribute_labels()
    assert not (present * (1 - known)).any()


def test_true_claims_hold() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        seen = VisibleContent.from_scene(sample_scene(rng, Split.TRAIN))
        assert evaluate_claim(sample_true_claim(seen, rng), seen) is not False


def test_every_word_that_is_said_is_known() -> None:
    rng, known = np.random.default_rng(3), set(build_vocabulary())
    for _ in range(300):
        claim = sample_true_claim(VisibleContent.from_scene(sample_scene(rng, Split.TRAIN)), rng)
        text = phrase_claim(
            claim,
            rng,
            synonym_share=0.5,
            reverse_order=bool(rng.integers(2)),
            template=str(rng.choice(QUERY_TEMPLATES)),
        )
        assert set(split_words(text)) <= known, text


def test_captions_are_cut_into_words_as_open_clip_will_cut_them(weights_folder: Path) -> None:
    batch = CaptionBatches(1, 4, 2, weights_folder)[0]
    tokenize = open_clip.get_tokenizer(f"local-dir:{weights_folder}")
    assert batch.ids.shape[1] == CONTEXT_LENGTH
    words = build_vocabulary()
    for ids in batch.ids[:12]:
        text = " ".join(words[number] for number in ids.tolist() if number > 1 and number < len(words) - 1)
        assert torch.equal(tokenize([text])[0][ids > 1], ids[ids > 1]) or 1 in ids


def _train_steps(state: Path, start: Path, first: int, last: int) -> Trainer:
    pairs = ContrastiveModel(start, TEXT_ALIGNMENT)
    run = Trainer(state, pairs, steps=4, peak_learning_rate=1e-3)
    batches = CaptionBatches(2, 4, last, start, first)
    assert run.step == first
    for number in range(len(batches)):
        run.train_step(*pairs(batches[number]))
    return run


@pytest.mark.slow
def test_a_stopped_stage_goes_on_as_if_it_had_not_been(
    weights_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "_SAVE_EVERY_STEPS", 2)
    _train_steps(tmp_path / "whole.pt", weights_folder, 0, 4)
    _train_steps(tmp_path / "parts.pt", weights_folder, 0, 2)
    _train_steps(tmp_path / "parts.pt", weights_folder, 2, 4)
    whole, parts = (torch.load(tmp_path / name, weights_only=True)["model"] for name in ("whole.pt", "parts.pt"))
    assert all(torch.allclose(whole[name], parts[name], atol=1e-5) for name in whole)
    before = ContrastiveModel(weights_folder, TEXT_ALIGNMENT).state_dict()
    moved = {name for name in whole if not torch.equal(whole[name], before[name])}
    assert "model.token_embedding.weight" in moved
    assert not any(name.startswith("model.visual") for name in moved)  # the image tower stands still in this stage


def test_the_first_stage_learns(tmp_path: Path) -> None:
    torch.manual_seed(0)
    seer = VisionStageModel()
    run = Trainer(tmp_path / "stage.pt", seer, steps=12, peak_learning_rate=6e-2)
    batch, losses = PictureBatches(1, 4, 1)[0], []
    for _ in range(12):
        loss, figures = seer(batch)
        run.train_step(loss, figures)
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
