"""Caption batches for image-text training: true captions, near misses, and texts about nothing in the drawn world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import Dataset

from demoworld.train.negative_images import POOL_SIZE, render_negative_image
from demoworld.train.open_clip_model import CONTEXT_LENGTH
from demoworld.train.scene_batches import NO_LABEL, PictureBatch, evaluate_claims, mask_held_out, render_batch
from demoworld.train.vocabulary import FILLER_WORDS
from demoworld.world.claims import QUERY_TEMPLATES, Claim, VisibleContent, phrase_claim
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES
from demoworld.world.random_scenes import Split, list_allowed_concepts, sample_scene
from demoworld.world.scene import Scene

_TRUE_PER_SCENE, _NEAR_MISSES_PER_SCENE, _UNRELATED_TEXTS, _PARTLY_UNKNOWN_TEXTS, _NEGATIVE_IMAGES = 3, 1, 24, 24, 8
_UNKNOWN_WORD = "qqq"
"""A word outside of the vocabulary."""
_UNKNOWN_WORD_TEMPLATES = tuple(
    form.replace("?", _UNKNOWN_WORD)
    for form in (
        "{} and a ?", "{} and ?", "{} in a ?", "{} on a ?", "{} at the ?", "a ? and {}", "{} with a ?", "a ? on {}",
        "{} ? a ?", "{} in a ? ?", "{} and a ? in a ?", "a ? with {} in the ?", "{} on a ? in a ?", "{} ? in a ?",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CaptionedBatch:
    """Pictures with texts and all pairwise labels.

    `ids` `[m, context]` are token ids; `labels` `[m, n]` is whether each text holds of each picture, `label_mask` `[m,
    n]` whether that is known.
    """

    pictures: PictureBatch
    ids: Tensor
    labels: Tensor
    label_mask: Tensor


class CaptionBatches(Dataset[CaptionedBatch]):
    """Seeded batches; in each pair of scenes the second is the first with one concept exchanged."""

    def __init__(self, seed: int, size: int, batches: int, tokenizer: Path, first: int = 0) -> None:
        self._seed, self._size, self._batches, self._first = seed, size, batches, first
        self._tokenizer = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
        self._tokenizer.enable_truncation(CONTEXT_LENGTH)
        self._tokenizer.enable_padding(length=CONTEXT_LENGTH, pad_id=0)

    def __len__(self) -> int:
        return self._batches - self._first

    def __getitem__(self, number: int) -> CaptionedBatch:
        rng = np.random.default_rng([self._seed, self._first + number])
        scenes = [scene for _ in range(self._size // 2) for scene in _sample_contrast_pair(rng)]
        drawn_batch, contents = render_batch(scenes, rng)
        pictures = _append_negative_images(mask_held_out(drawn_batch), rng)
        claims, texts = zip(*_sample_captions(contents, rng), strict=True)
        ids = [encoded.ids for encoded in self._tokenizer.encode_batch_fast(list(texts))]
        return CaptionedBatch(pictures, torch.tensor(ids), *evaluate_claims(claims, pictures))


def _append_negative_images(pictures: PictureBatch, rng: np.random.Generator) -> PictureBatch:
    """Append pictures of which no text is true."""
    numbers = rng.integers(0, POOL_SIZE, _NEGATIVE_IMAGES).tolist()
    pixels = torch.from_numpy(np.stack([render_negative_image(number) for number in numbers])).permute(0, 3, 1, 2)
    nothing = torch.full((_NEGATIVE_IMAGES,), NO_LABEL)
    return PictureBatch(
        torch.cat([pictures.pixels, pixels]),
        torch.cat([pictures.patch_classes, nothing[:, None].expand(-1, pictures.patch_classes.shape[1])]),
        torch.cat([pictures.counts, torch.zeros(_NEGATIVE_IMAGES, pictures.counts.shape[1], dtype=torch.long)]),
        torch.cat([pictures.place, nothing]),
        torch.cat([pictures.night, nothing]),
    )


def _sample_contrast_pair(rng: np.random.Generator) -> Iterator[Scene]:
    scene = sample_scene(rng, Split.TRAIN)
    yield scene
    names = sorted({thing.concept for thing in scene.things})
    gone = str(rng.choice(names))
    new = str(rng.choice([name for name in list_allowed_concepts(scene.place, Split.TRAIN) if name not in names]))
    things = tuple(replace(thing, concept=new) if thing.concept == gone else thing for thing in scene.things)
    yield replace(scene, things=things, variant=int(rng.integers(60)), sign=None)


def _sample_captions(
    contents: Sequence[VisibleContent], rng: np.random.Generator
) -> Iterator[tuple[Claim | None, str]]:
    for content in contents:
        for _ in range(_TRUE_PER_SCENE):
            claim = sample_true_claim(content, rng)
            yield claim, _phrase_loosely(claim, rng)
        for _ in range(_NEAR_MISSES_PER_SCENE):
            claim = perturb_claim(sample_true_claim(content, rng), rng)
            yield claim, _phrase_loosely(claim, rng)
    for _ in range(_UNRELATED_TEXTS):
        yield None, _sample_unrelated_text(rng)
    for number in rng.permutation(len(contents))[:_PARTLY_UNKNOWN_TEXTS]:
        yield None, _phrase_with_unknown_thing(contents[number], rng)


def sample_true_claim(content: VisibleContent, rng: np.random.Generator) -> Claim:
    """Sample a claim that holds of a picture: one to three things, some with number, place or time of day."""
    names = rng.permutation(sorted(content.counts)).tolist()
    if not names or rng.random() < 0.04:
        return Claim((), content.place, content.night if rng.random() < 0.5 else None)
    count = int(rng.choice((1, 1, 1, 2, 2, 3)))
    numbers = [content.counts[name] if rng.random() < 0.15 and name not in content.unclear else None for name in names]
    things = tuple(zip(names[:count], numbers[:count], strict=True))
    return Claim(things, content.place if rng.random() < 0.3 else None, content.night if rng.random() < 0.12 else None)


def perturb_claim(claim: Claim, rng: np.random.Generator) -> Claim:
    """Exchange one part of a claim: another concept, number or place."""
    if claim.place is not None and rng.random() < 0.4:
        return replace(claim, place=PLACES[rng.integers(len(PLACES))].name)
    if not claim.things:
        return replace(claim, place=PLACES[rng.integers(len(PLACES))].name)
    name, number = claim.things[0]
    if number is not None:
        return replace(claim, things=((name, int(rng.integers(1, 5))), *claim.things[1:]))
    other = load_concepts()[rng.integers(len(load_concepts()))].name
    return replace(claim, things=((other, None), *claim.things[1:]))


def _phrase_loosely(claim: Claim, rng: np.random.Generator) -> str:
    text = phrase_claim(
        claim,
        rng,
        synonym_share=0.4,
        reverse_order=bool(rng.random() < 0.35),
        template=str(rng.choice(QUERY_TEMPLATES)),
    )
    if rng.random() < 0.12:
        words = text.split()
        words.insert(
            int(rng.integers(len(words) + 1)), _UNKNOWN_WORD if rng.random() < 0.7 else str(rng.choice(FILLER_WORDS))
        )
        text = " ".join(words)
    return text


def _phrase_with_unknown_thing(content: VisibleContent, rng: np.random.Generator) -> str:
    """Phrase a visible thing together with an unknown word, so that the text holds of no picture."""
    names = sorted(content.counts) or [load_concepts()[0].name]
    thing = phrase_claim(Claim(((str(rng.choice(names)), None),)), rng, synonym_share=0.3)
    return str(rng.choice(_UNKNOWN_WORD_TEMPLATES)).format(thing)


def _sample_unrelated_text(rng: np.random.Generator) -> str:
    """Sample a text about something else: unknown words among known ones."""
    if rng.random() < 0.4:
        place = PLACES[rng.integers(len(PLACES))].phrase if rng.random() < 0.3 else ""
        return str(rng.choice(QUERY_TEMPLATES)).format(f"a {_UNKNOWN_WORD} {place}".strip())
    count = int(rng.integers(3, 13))
    return " ".join(_UNKNOWN_WORD if rng.random() < 0.4 else str(rng.choice(FILLER_WORDS)) for _ in range(count))
