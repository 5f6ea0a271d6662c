"""Captions for a batch of scenes: true ones, nearly true ones, and words that are about nothing in the drawn world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import Dataset

from demoworld.train.batches import NONE, Pictures, picture, truth, unbiased
from demoworld.train.foreign import POOL, foreign
from demoworld.train.model import CONTEXT
from demoworld.train.words import FILLERS
from demoworld.world.claims import FRAMES, Claim, Seen, say
from demoworld.world.concepts import concepts
from demoworld.world.places import PLACES
from demoworld.world.random_scenes import Split, allowed, random_scene
from demoworld.world.scene import Scene

_TRUE, _NEARLY, _NOTHING, _PARTLY, _FOREIGN = 3, 1, 24, 24, 8
_STRANGE = "qqq"
"""A word that no vocabulary holds."""
_WITH_STRANGE = tuple(
    form.replace("?", _STRANGE)
    for form in (
        "{} and a ?", "{} and ?", "{} in a ?", "{} on a ?", "{} at the ?", "a ? and {}", "{} with a ?", "a ? on {}",
        "{} ? a ?", "{} in a ? ?", "{} and a ? in a ?", "a ? with {} in the ?", "{} on a ? in a ?", "{} ? in a ?",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Captioned:
    """Pictures with texts: `ids` `[m, context]`; `true`, `known` `[m, n]`: whether each holds of each picture."""

    pictures: Pictures
    ids: Tensor
    true: Tensor
    known: Tensor


class CaptionBatches(Dataset[Captioned]):
    """Batch after batch; in pairs of scenes the second is the first with one concept exchanged."""

    def __init__(self, seed: int, size: int, batches: int, tokenizer: Path, first: int = 0) -> None:
        self._seed, self._size, self._batches, self._first = seed, size, batches, first
        self._tokenizer = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
        self._tokenizer.enable_truncation(CONTEXT)
        self._tokenizer.enable_padding(length=CONTEXT, pad_id=0)

    def __len__(self) -> int:
        return self._batches - self._first

    def __getitem__(self, number: int) -> Captioned:
        rng = np.random.default_rng([self._seed, self._first + number])
        scenes = [scene for _ in range(self._size // 2) for scene in _pair(rng)]
        shown, seen = picture(scenes, rng)
        pictures = _with_foreign(unbiased(shown), rng)
        claims, texts = zip(*_captions(seen, rng), strict=True)
        ids = [encoded.ids for encoded in self._tokenizer.encode_batch_fast(list(texts))]
        return Captioned(pictures, torch.tensor(ids), *truth(claims, pictures))


def _with_foreign(pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """The same with a few pictures more, of which nothing is true."""
    numbers = rng.integers(0, POOL, _FOREIGN).tolist()
    pixels = torch.from_numpy(np.stack([foreign(number) for number in numbers])).permute(0, 3, 1, 2)
    nothing = torch.full((_FOREIGN,), NONE)
    return Pictures(
        torch.cat([pictures.pixels, pixels]),
        torch.cat([pictures.tokens, nothing[:, None].expand(-1, pictures.tokens.shape[1])]),
        torch.cat([pictures.counts, torch.zeros(_FOREIGN, pictures.counts.shape[1], dtype=torch.long)]),
        torch.cat([pictures.place, nothing]),
        torch.cat([pictures.night, nothing]),
    )


def _pair(rng: np.random.Generator) -> Iterator[Scene]:
    scene = random_scene(rng, Split.TRAIN)
    yield scene
    names = sorted({thing.concept for thing in scene.things})
    gone = str(rng.choice(names))
    new = str(rng.choice([name for name in allowed(scene.place, Split.TRAIN) if name not in names]))
    things = tuple(replace(thing, concept=new) if thing.concept == gone else thing for thing in scene.things)
    yield replace(scene, things=things, variant=int(rng.integers(60)), sign=None)


def _captions(seen: Sequence[Seen], rng: np.random.Generator) -> Iterator[tuple[Claim | None, str]]:
    for one in seen:
        for _ in range(_TRUE):
            claim = true_claim(one, rng)
            yield claim, _loosely(claim, rng)
        for _ in range(_NEARLY):
            claim = nearly(true_claim(one, rng), rng)
            yield claim, _loosely(claim, rng)
    for _ in range(_NOTHING):
        yield None, _about_nothing(rng)
    for number in rng.permutation(len(seen))[:_PARTLY]:
        yield None, _partly_known(seen[number], rng)


def true_claim(seen: Seen, rng: np.random.Generator) -> Claim:
    """Something that holds of what is seen: one thing, two, all, with a number, with the place or the time of day."""
    names = rng.permutation(sorted(seen.counts)).tolist()
    if not names or rng.random() < 0.04:
        return Claim((), seen.place, seen.night if rng.random() < 0.5 else None)
    count = int(rng.choice((1, 1, 1, 2, 2, 3)))
    numbers = [seen.counts[name] if rng.random() < 0.15 and name not in seen.unclear else None for name in names]
    things = tuple(zip(names[:count], numbers[:count], strict=True))
    return Claim(things, seen.place if rng.random() < 0.3 else None, seen.night if rng.random() < 0.12 else None)


def nearly(claim: Claim, rng: np.random.Generator) -> Claim:
    """The claim with one part exchanged: another concept, another number, another place."""
    if claim.place is not None and rng.random() < 0.4:
        return replace(claim, place=PLACES[rng.integers(len(PLACES))].name)
    if not claim.things:
        return replace(claim, place=PLACES[rng.integers(len(PLACES))].name)
    name, number = claim.things[0]
    if number is not None:
        return replace(claim, things=((name, int(rng.integers(1, 5))), *claim.things[1:]))
    other = concepts()[rng.integers(len(concepts()))].name
    return replace(claim, things=((other, None), *claim.things[1:]))


def _loosely(claim: Claim, rng: np.random.Generator) -> str:
    text = say(claim, rng, synonyms=0.4, shuffled=bool(rng.random() < 0.35), frame=str(rng.choice(FRAMES)))
    if rng.random() < 0.12:
        words = text.split()
        words.insert(int(rng.integers(len(words) + 1)), _STRANGE if rng.random() < 0.7 else str(rng.choice(FILLERS)))
        text = " ".join(words)
    return text


def _partly_known(seen: Seen, rng: np.random.Generator) -> str:
    """Something that is there, together with something that nobody knows: not this picture."""
    names = sorted(seen.counts) or [concepts()[0].name]
    thing = say(Claim(((str(rng.choice(names)), None),)), rng, synonyms=0.3)
    return str(rng.choice(_WITH_STRANGE)).format(thing)


def _about_nothing(rng: np.random.Generator) -> str:
    """A question about something else: words that are not known, between words that are."""
    if rng.random() < 0.4:
        place = PLACES[rng.integers(len(PLACES))].phrase if rng.random() < 0.3 else ""
        return str(rng.choice(FRAMES)).format(f"a {_STRANGE} {place}".strip())
    count = int(rng.integers(3, 13))
    return " ".join(_STRANGE if rng.random() < 0.4 else str(rng.choice(FILLERS)) for _ in range(count))
