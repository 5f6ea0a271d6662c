"""The cache of clips: bounded in bytes, the clip that was used longest ago goes first."""

from __future__ import annotations

from services.playback.clip_cache import ClipCache, ClipKey

A, B, C = (ClipKey(("film", float(start), start + 1.0, 640)) for start in range(3))


def test_the_clip_that_was_used_longest_ago_goes_first() -> None:
    cache = ClipCache(10)
    cache.put(A, b"aaaa")
    cache.put(B, b"bbbb")
    assert cache.get(A) == b"aaaa"
    cache.put(C, b"cccc")
    assert (cache.get(A), cache.get(B), cache.get(C)) == (b"aaaa", None, b"cccc")


def test_a_clip_that_is_longer_than_all_may_be_is_not_kept_and_costs_no_other() -> None:
    cache = ClipCache(10)
    cache.put(A, b"aaaa")
    cache.put(B, bytes(11))
    assert (cache.get(A), cache.get(B)) == (b"aaaa", None)


def test_a_clip_that_is_cut_twice_is_counted_once() -> None:
    cache = ClipCache(10)
    for _ in range(5):
        cache.put(A, b"aaaa")
    cache.put(B, b"bbbb")
    assert (cache.get(A), cache.get(B)) == (b"aaaa", b"bbbb")
