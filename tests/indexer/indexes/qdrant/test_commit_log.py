"""The log of an index in Qdrant: a view that is taken on by some entries is the one that all of them make."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexer.indexes.qdrant.commit_log import LogEntry, Snapshot, VectorSpace
from indexer.types import AssetKind, AssetTags, Lane

LANES = (Lane.VISUAL, Lane.TEXT)


@st.composite
def draw_entry(draw: st.DrawFn) -> LogEntry:
    """Any entry of one of four assets."""
    tags = AssetTags(draw(st.sampled_from("abcd")), AssetKind.IMAGE, frozenset(["default"]), None)
    if draw(st.booleans()):
        return LogEntry(tags, generation=draw(st.integers(0, 9)))
    spaces = {
        lane: VectorSpace(f"{lane}-1", "m", 4, draw(st.integers(0, 5)))
        for lane in draw(st.sets(st.sampled_from(LANES)))
    }
    return LogEntry(
        tags,
        put="p",
        documents=draw(st.integers(0, 5)),
        tokens=draw(st.integers(0, 50)),
        spaces=spaces,
        hidden=draw(st.sampled_from([(), ("q",)])),
        retagging=draw(st.booleans()),
    )


@given(st.lists(draw_entry(), max_size=12), st.integers(0, 12))
def test_a_view_is_taken_on_to_what_all_entries_make(log: list[LogEntry], first: int) -> None:
    numbered = list(enumerate(log, 1))
    view = Snapshot().with_entries(numbered[:first]).with_entries(numbered[first:])
    latest = {entry.tags.asset_id: (number, entry) for number, entry in numbered}
    assert view.entries == latest
    assert (view.number, view.generation) == (len(log), log[-1].generation if log else 0)
    in_force = [entry for _, entry in latest.values()]
    assert sorted(entry.tags.asset_id for entry in view.unsettled_entries) == sorted(
        entry.tags.asset_id for entry in in_force if not entry.is_settled
    )
    assert view.documents == sum(entry.documents for entry in in_force)
    assert view.tokens == sum(entry.tokens for entry in in_force)
    for lane in LANES:
        vectors = sum(entry.spaces[lane].vectors for entry in in_force if lane in entry.spaces)
        assert (view.spaces[lane].vectors if lane in view.spaces else 0) == vectors
        assert (lane in view.spaces) == (vectors > 0)
