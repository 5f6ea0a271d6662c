"""Benchmark of the drawn world's open_clip model: retrieval on held-out scenes, speed, and search in an hour of video.

Held out are seeds, variants of places, and pairs of concept and place. Everything goes through the encoder and the
services that real weights go through, in their defaults. R-precision: of the R pictures that a text holds of, the share
that is among the first R of 1,000, averaged over texts. Pictures for which the text is undecidable are left out of its
ranking.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import open_clip
import torch

from benchmarks.report import Figure, make_parser, print_table, report
from demoworld.world.claims import Claim, VisibleContent, evaluate_claim, phrase_claim, phrase_plainly
from demoworld.world.concepts import get_concept, load_concepts
from demoworld.world.places import PLACES
from demoworld.world.random_scenes import Split, sample_scene, scatter_things
from demoworld.world.rendering import render_scene
from demoworld.world.scene import WIDESCREEN_ASPECT, Scene
from demoworld.world.truth import EventTruth, VideoTruth
from demoworld.world.video_rendering import VideoSpec, render_video
from indexer.encoders.open_clip import OpenClipEncoder
from indexer.encoders.weights import resolve_weights
from indexer.types import SegmentFilter, Vectors
from services.container import Container
from services.ingest.types import Outcome
from services.search.types import Query
from services.settings import Settings, load_settings

FRAME_COUNT, PAIR_COUNT, SAME_SCENE_COUNT, EVENT_COUNT = 1000, 400, 300, 200
_SEED, _WIDTH, _HEIGHT, _HOUR_S, _ABSENT_CONCEPT_COUNT = 20_000, 480, 270, 3600, 24
_MIN_IOU, _MIN_EVENT_S = 0.5, 3.0
ClaimPhraser = Callable[[Claim], str]


class HeldOutGallery:
    """Held-out pictures, their vectors, and their visible content."""

    def __init__(self, encoder: OpenClipEncoder) -> None:
        self.encoder = encoder
        rng = np.random.default_rng(_SEED)
        self.scenes = [sample_scene(rng, Split.HELD_OUT, aspect=WIDESCREEN_ASPECT) for _ in range(FRAME_COUNT)]
        self.contents = [VisibleContent.from_scene(scene) for scene in self.scenes]
        self.vectors = encode_scenes(encoder, self.scenes)

    def measure_r_precision(self, claims: Sequence[Claim], phrase: ClaimPhraser) -> float:
        """Return the mean R-precision over the claims that hold of at least one picture."""
        scores = self.encoder.encode_texts([phrase(claim) for claim in claims]) @ self.vectors.T
        return float(np.mean(list(self._precisions(claims, scores))))

    def _precisions(self, claims: Sequence[Claim], scores: Vectors) -> Iterator[float]:
        for claim, row in zip(claims, scores, strict=True):
            verdicts = [evaluate_claim(claim, content) for content in self.contents]
            ranked = [verdicts[number] for number in np.argsort(-row) if verdicts[number] is not None]
            if right := sum(bool(verdict) for verdict in ranked):
                yield sum(bool(verdict) for verdict in ranked[:right]) / right

    def measure_same_scene(self) -> float:
        """Return how often the same scene at another moment is among the first five pictures."""
        rng = np.random.default_rng(_SEED + 1)
        later = encode_scenes(self.encoder, [_rearrange_scene(scene, rng) for scene in self.scenes[:SAME_SCENE_COUNT]])
        scores = later @ self.vectors.T
        places = (scores > np.diagonal(scores)[:, None]).sum(1)
        return float((places < 5).mean())

    def build_claims(self) -> dict[str, list[Claim]]:
        """Build claims: every concept, pairs that occur together, concepts in the places where they occur."""
        together = {
            pair for content in self.contents for pair in combinations(sorted(set(content.counts) - content.unclear), 2)
        }
        chosen = np.random.default_rng(_SEED + 2).permutation(sorted(together))[:PAIR_COUNT].tolist()
        located = {(name, content.place) for content in self.contents for name in content.counts}
        return {
            "one concept": [Claim(((known.name, None),)) for known in load_concepts()],
            'two concepts with "and"': [Claim(((first, None), (second, None))) for first, second in chosen],
            "concept and place": [Claim(((name, None),), place) for name, place in sorted(located)],
        }


def encode_scenes(encoder: OpenClipEncoder, scenes: Iterable[Scene]) -> Vectors:
    """Encode scenes rendered as a video shows them."""
    return encoder.encode_images([render_scene(scene, _WIDTH, _HEIGHT) for scene in scenes])


def measure_frames(encoder: OpenClipEncoder) -> Iterator[Figure]:
    """Measure retrieval of single pictures."""
    gallery = HeldOutGallery(encoder)
    rng = np.random.default_rng(_SEED + 3)
    rows = []
    targets = {"one concept": 0.9, 'two concepts with "and"': 0.8, "concept and place": 0.8}
    losses = []
    for name, claims in gallery.build_claims().items():
        as_is = gallery.measure_r_precision(claims, phrase_plainly)
        synonyms = gallery.measure_r_precision(claims, lambda claim: phrase_claim(claim, rng, synonym_share=1.0))
        reversed_order = gallery.measure_r_precision(claims, lambda claim: phrase_claim(claim, rng, reverse_order=True))
        rows.append((name, str(len(claims)), f"{as_is:.3f}", f"{synonyms:.3f}", f"{reversed_order:.3f}"))
        losses += [as_is - synonyms, as_is - reversed_order]
        yield Figure(f"R-precision, {name}", as_is, "", targets[name])
    print_table("R-precision", ("asked for", "texts", "plain", "synonyms", "other order"), rows)
    yield Figure("R-precision lost by synonyms or another order, at most", max(losses), "", 0.05, at_least=False)
    yield Figure("same scene at another moment among the first 5", gallery.measure_same_scene(), "", 0.95)


def _rearrange_scene(scene: Scene, rng: np.random.Generator) -> Scene:
    """Return the same things in the same place and sizes, moved."""
    names = sorted({thing.concept for thing in scene.things})
    counts = [sum(thing.concept == name for thing in scene.things) for name in names]
    sizes = {thing.concept: thing.size for thing in scene.things}
    moved = scatter_things(rng, names, counts)
    return replace(scene, things=tuple(replace(thing, size=sizes[thing.concept]) for thing in moved))


def measure_speed(encoder: OpenClipEncoder, name: str, batch: int = 64, rounds: int = 12) -> Iterator[Figure]:
    """Measure pictures a second through the encoder, beside the bare forward pass; rounds alternate."""
    rng = np.random.default_rng(_SEED + 4)
    pictures = [
        render_scene(sample_scene(rng, Split.HELD_OUT, aspect=WIDESCREEN_ASPECT), _WIDTH, _HEIGHT) for _ in range(batch)
    ]
    forward = make_forward_pass(name, batch)
    encoder_times_s, forward_times_s = [], []
    for _ in range(rounds):
        encoder_times_s.append(_seconds(lambda: encoder.encode_images(pictures)))
        forward_times_s.append(_seconds(forward))
    own_rate, bare_rate = batch / float(np.median(encoder_times_s)), batch / float(np.median(forward_times_s))
    yield Figure("pictures a second, encoder", own_rate, "/s")
    yield Figure("pictures a second, forward pass alone", bare_rate, "/s")
    yield Figure("encoder over forward pass alone", own_rate / bare_rate, "×", 0.9)


def make_forward_pass(name: str, batch: int) -> Callable[[], object]:
    """Return open_clip's image tower of the same weights, bound to ready tensors."""
    model = open_clip.create_model_from_pretrained(name, return_transform=False).eval()
    planes = torch.rand(batch, 3, *model.visual.image_size)

    def forward() -> object:
        with torch.inference_mode():
            return model.encode_image(planes)

    return forward


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure_hour(settings: Settings) -> Iterator[Figure]:
    """Render and index an hour of video, and search it for events that happen and that do not."""
    rng = np.random.default_rng(_SEED + 5)
    absent_concepts = tuple(rng.permutation([known.name for known in load_concepts()])[:_ABSENT_CONCEPT_COUNT].tolist())
    with tempfile.TemporaryDirectory() as name:
        video = Path(name) / "hour.mp4"
        started = time.perf_counter()
        truth = render_video(VideoSpec(_SEED, _HOUR_S, _WIDTH, _HEIGHT, excluded_concepts=absent_concepts), video)
        yield Figure("rendering, times real time", _HOUR_S / (time.perf_counter() - started), "×", 20.0)
        container = Container(settings.model_copy(update={"home": Path(name) / "home"}))
        try:
            started = time.perf_counter()
            (line,) = container.indexing.index_paths([video], "benchmark", lambda *_: None)
            if line.outcome is not Outcome.INDEXED:
                raise RuntimeError(f"{line.name}: {line.outcome} {line.reason}")
            yield Figure("indexing, times real time", _HOUR_S / (time.perf_counter() - started), "×")
            yield from _measure_search(container, truth, absent_concepts, rng)
        finally:
            container.close()


def _measure_search(
    container: Container, truth: VideoTruth, absent_concepts: Sequence[str], rng: np.random.Generator
) -> Iterator[Figure]:
    long_enough = [event for event in truth.events if event.end_s - event.start_s >= _MIN_EVENT_S]
    chosen = [long_enough[number] for number in rng.permutation(len(long_enough))[:EVENT_COUNT]]
    overlaps = [_best_iou(container, event, truth) for event in chosen]
    yield Figure("events asked for", len(chosen), "")
    yield Figure("moment found, IoU ≥ 0.5", float(np.mean([overlap >= _MIN_IOU for overlap in overlaps])), "", 0.85)
    yield Figure("moment found, IoU > 0", float(np.mean([overlap > 0 for overlap in overlaps])), "")
    places = [place.name for place in PLACES]
    absent = [
        phrase_plainly(
            Claim(((str(rng.choice(absent_concepts)), None),), str(rng.choice(places)) if number % 2 else None)
        )
        for number in range(EVENT_COUNT // 2)
    ]
    elsewhere = [phrase_plainly(_sample_absent_pair(truth, rng)) for _ in range(EVENT_COUNT // 2)]
    yield Figure("found something for concepts that never appear", _share_with_results(container, absent), "")
    yield Figure(
        "found something for concepts in places where they never are", _share_with_results(container, elsewhere), ""
    )
    found_share = _share_with_results(container, absent + elsewhere)
    yield Figure("found something for events that never happen", found_share, "", 0.05, at_least=False)


def _share_with_results(container: Container, texts: Sequence[str]) -> float:
    return float(np.mean([bool(container.retrieval.search(Query(text), SegmentFilter(), 1)) for text in texts]))


def _best_iou(container: Container, event: EventTruth, truth: VideoTruth) -> float:
    """Return the IoU of the first moment found with the best of the events that the same words describe."""
    text = phrase_plainly(Claim(((event.concept, None),), event.place))
    moments = container.retrieval.search(Query(text), SegmentFilter(), 1)
    if not moments or moments[0].start_s is None or moments[0].end_s is None:
        return 0.0
    span = (moments[0].start_s, moments[0].end_s)
    matching = [other for other in truth.events if (other.concept, other.place) == (event.concept, event.place)]
    return max(_compute_iou(span, (other.start_s, other.end_s)) for other in matching)


def _compute_iou(left: tuple[float, float], right: tuple[float, float]) -> float:
    intersection = max(0.0, min(left[1], right[1]) - max(left[0], right[0]))
    return intersection / (left[1] - left[0] + right[1] - right[0] - intersection)


def _sample_absent_pair(truth: VideoTruth, rng: np.random.Generator) -> Claim:
    """Sample a concept and a place that both appear, never together."""
    together = {(event.concept, event.place) for event in truth.events}
    names, places = sorted(truth.collect_concepts()), sorted({stretch.place for stretch in truth.stretches})
    while True:
        pair = str(rng.choice(names)), str(rng.choice(places))
        if pair not in together:
            return Claim(((get_concept(pair[0]).name, None),), pair[1])


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--frames-only", action="store_true", help="skip the hour of video")
    args = parser.parse_args()
    settings = load_settings("demo")
    if settings.visual.model is None:
        raise SystemExit("the demo profile names no visual model")
    encoder = OpenClipEncoder(settings.visual.model, threads=settings.threads)
    figures = [*measure_frames(encoder), *measure_speed(encoder, resolve_weights(settings.visual.model))]
    if not args.frames_only:
        figures += measure_hour(settings)
    return report("demo_world", figures, args.check, args.json)


if __name__ == "__main__":
    torch.manual_seed(0)
    sys.exit(main())
