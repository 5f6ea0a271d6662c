"""Scenes are what their data says, in pixels too."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from demoworld.world.claims import Claim, VisibleContent, evaluate_claim, phrase_claim, phrase_plainly
from demoworld.world.concepts import concept_index, get_concept, load_concepts
from demoworld.world.places import PLACES, paint_backdrop
from demoworld.world.random_scenes import SIGN_WORDS, Split, is_held_out, sample_scene
from demoworld.world.rendering import render_instance_mask, render_scene
from demoworld.world.scene import Scene, Sign, Thing
from indexer.ocr.rapid_ocr import RapidOcrEngine

DOG = Thing("dog", 0.3, 0.6, 0.5)
CAKE = Thing("cake", 0.7, 0.6, 0.4)
SCENE = Scene("beach", False, 3, (DOG, CAKE))


def test_there_are_many_concepts_and_no_word_means_two_of_them() -> None:
    assert len(load_concepts()) >= 120
    assert len(PLACES) >= 8
    words = [word for known in load_concepts() for word in {known.name, known.plural, *known.synonyms}]
    assert len(set(words)) == len(words)


def test_signs_say_nothing_that_is_a_thing() -> None:
    words = {
        word
        for known in load_concepts()
        for name in (known.name, known.plural, *known.synonyms)
        for word in name.split()
    }
    assert words.isdisjoint(word.casefold() for word in SIGN_WORDS)


def test_every_concept_has_a_sprite_of_its_own() -> None:
    alone = [
        render_scene(Scene("snow", False, 0, (Thing(known.name, 0.5, 0.5, 0.9),)), 64, 64).tobytes()
        for known in load_concepts()
    ]
    assert len(set(alone)) == len(load_concepts())


def test_places_differ_by_day_and_night_and_from_variant_to_variant() -> None:
    kinds = product((place.name for place in PLACES), (False, True), (0, 1))
    looks = [paint_backdrop(name, night, variant, 96, 54) for name, night, variant in kinds]
    assert len({look.tobytes() for look in looks}) == 4 * len(PLACES)
    assert paint_backdrop("beach", True, 0, 96, 54).mean() < 0.7 * paint_backdrop("beach", False, 0, 96, 54).mean()


def test_things_are_drawn_where_they_stand() -> None:
    empty, full = render_scene(replace(SCENE, things=()), 320, 180), render_scene(SCENE, 320, 180)
    changed = (empty != full).any(-1)
    rows, columns = np.nonzero(changed)
    assert changed[:, 125:185].mean() < 0.1  # the gap between the two
    assert 0.3 * 180 < rows.min() < rows.max() < 0.9 * 180
    assert 0.14 * 320 < columns.min() < columns.max() < 0.84 * 320


def test_a_flipped_thing_is_its_mirror_image() -> None:
    middle = Scene("snow", False, 0, (Thing("fire truck", 0.5, 0.5, 0.8),))
    plain_one = render_instance_mask(middle, 160, 90)[0]
    flipped = render_instance_mask(replace(middle, things=(replace(middle.things[0], flipped=True),)), 160, 90)[0]
    assert (plain_one != flipped).any()
    assert (plain_one[:, ::-1] == flipped).mean() > 0.99


def test_labels_say_what_covers_a_pixel_and_how_much_of_a_thing_is_seen() -> None:
    labels, shares = render_instance_mask(SCENE, 160, 90)
    assert shares == [1.0, 1.0]
    assert labels[54, 48] == 0
    assert labels[54, 112] == 1
    hidden = replace(SCENE, things=(DOG, replace(CAKE, x=0.3, size=0.9)))
    assert render_instance_mask(hidden, 160, 90)[1][0] < 0.5
    outside = replace(SCENE, things=(replace(DOG, x=-0.05),))
    assert render_instance_mask(outside, 160, 90)[1][0] < 0.5


def test_a_scene_is_the_same_each_time_and_alike_at_every_size() -> None:
    assert (render_scene(SCENE, 96, 96) == render_scene(SCENE, 96, 96)).all()
    small, large = render_scene(SCENE, 96, 54).astype(int), render_scene(SCENE, 480, 270).astype(int)
    reduced = large.reshape(54, 5, 96, 5, 3).mean((1, 3))
    assert np.abs(reduced - small).mean() < 8


def test_signs_can_be_read() -> None:
    reader = RapidOcrEngine(threads=2)
    picture = render_scene(Scene("street", False, 1, (), Sign("GATE 47", 0.5, 0.2)), 480, 270)
    quads = reader.detect(picture)
    assert "GATE 47" in [text for text, _ in reader.recognize(picture, quads)]


@pytest.mark.parametrize("split", [Split.TRAIN, Split.HELD_OUT])
def test_training_never_shows_what_is_held_out(split: Split) -> None:
    scenes = [sample_scene(np.random.default_rng(seed), split) for seed in range(150)]
    pairs = {(thing.concept, scene.place) for scene in scenes for thing in scene.things}
    assert all(is_held_out(*pair) == (split is Split.HELD_OUT) for pair in pairs)
    assert {scene.variant >= 1000 for scene in scenes} == {split is Split.HELD_OUT}
    each = [sum(is_held_out(known.name, place.name) for place in PLACES) for known in load_concepts()]
    assert set(each) == {2}


def test_random_scenes_are_seeded_and_hold_at_most_six_things() -> None:
    scenes = [sample_scene(np.random.default_rng(seed), Split.ANY) for seed in range(100)]
    assert scenes == [sample_scene(np.random.default_rng(seed), Split.ANY) for seed in range(100)]
    assert all(1 <= len(scene.things) <= 6 for scene in scenes)
    assert {len({thing.concept for thing in scene.things}) for scene in scenes} == {1, 2, 3}


SEEN = VisibleContent({"dog": 2, "cake": 1}, frozenset({"cat"}), "beach", True)


@pytest.mark.parametrize(
    ("claim", "true"),
    [
        (Claim((("dog", None),)), True),
        (Claim((("dog", 2),)), True),
        (Claim((("dog", 1),)), False),
        (Claim((("dog", None), ("cake", None)), "beach", True), True),
        (Claim((("dog", None), ("owl", None))), False),
        (Claim((("dog", None),), "snow"), False),
        (Claim((), "beach", False), False),
        (Claim((("cat", None),)), None),
        (Claim((("cat", None), ("owl", None))), False),
    ],
)
def test_a_claim_holds_when_all_of_its_parts_do(claim: Claim, true: bool | None) -> None:
    assert evaluate_claim(claim, SEEN) is true


def test_claims_are_said_plainly_or_in_other_words_and_orders() -> None:
    claim = Claim((("dog", 2), ("elephant", None)), "beach", True)
    assert phrase_plainly(claim) == "two dogs and an elephant on the beach at night"
    rng = np.random.default_rng(0)
    assert phrase_claim(claim, rng, reverse_order=True) == "on the beach at night an elephant and two dogs"
    said = {phrase_claim(Claim((("dog", None),), "beach"), rng, synonym_share=1.0) for _ in range(60)}
    assert any("puppy" in text or "hound" in text for text in said)
    assert any("seaside" in text or "shore" in text for text in said)


def test_a_concept_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="griffin"):
        concept_index("griffin")
    assert get_concept("dog").plural == "dogs"
