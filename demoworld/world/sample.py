"""The drawn part of the demo archive: a video without words, photos and a report, and what there is to ask of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from demoworld.world.claims import Claim, plain
from demoworld.world.concepts import concepts
from demoworld.world.reports import print_report
from demoworld.world.rolling import Reel, roll
from demoworld.world.snapshots import take_photos
from demoworld.world.truth import VideoTruth

REEL = Reel(seed=7, seconds=100)


def make_sample(folder: Path) -> VideoTruth:
    """Write the video, six photos and a report of two pages into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    take_photos(folder / "photos", seed=7, count=6)
    print_report(folder / "sightings.pdf", seed=7, pages=2)
    return roll(REEL, folder / "camera.mp4")


def asked_of(truth: VideoTruth) -> list[tuple[str, str]]:
    """What to search for in the video, and what is true: three things that are seen in it and one that is not."""
    counts = Counter(event.concept for event in truth.events)
    once = [event for event in truth.events if counts[event.concept] == 1 and event.count == 1]
    chosen = once[:: max(1, len(once) // 3)][:3]
    asked = [
        (plain(Claim(((event.concept, None),), event.place)), f"from {event.start_s:.0f} s to {event.end_s:.0f} s")
        for event in chosen
    ]
    never = next(known.name for known in concepts() if known.name not in counts)
    return [*asked, (plain(Claim(((never, None),))), "never")]
