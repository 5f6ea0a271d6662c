"""Rights: what is outside of them cannot be told from what is not there."""

from __future__ import annotations

import pytest
from shared import Services

from indexer.errors import CollectionNotFound, RightMissing
from indexer.types import AssetKind, SegmentFilter
from services.keys import Scope
from services.rights import EVERYTHING, Rights

ONE = Rights("k", frozenset({Scope.READ}), frozenset({"one", "later"}))


def test_a_scope_that_is_missing_is_named() -> None:
    ONE.needs(Scope.READ)
    with pytest.raises(RightMissing, match="this needs a key with the scope write"):
        ONE.needs(Scope.WRITE)
    for scope in Scope:
        EVERYTHING.needs(scope)


def test_a_filter_is_narrowed_to_what_may_be_seen() -> None:
    kinds = frozenset({AssetKind.VIDEO})
    assert ONE.within(SegmentFilter(kinds=kinds)) == SegmentFilter(frozenset({"one", "later"}), kinds)
    one = SegmentFilter(frozenset({"one"}))
    assert ONE.within(one) == EVERYTHING.within(one) == one
    assert EVERYTHING.within(SegmentFilter()) == SegmentFilter()
    assert ONE.within(SegmentFilter(frozenset())) == SegmentFilter(frozenset())
    assert ONE.sees("one")
    assert not ONE.sees("two")


def test_a_collection_outside_is_not_found_in_the_words_for_one_that_is_not_there(services: Services) -> None:
    catalog = services().catalog
    catalog.create_collection("two")
    said = []
    for look in (lambda name: ONE.within(SegmentFilter(frozenset({name}))), lambda name: catalog.assets([name])):
        with pytest.raises(CollectionNotFound) as raised:
            look("two" if not said else "later")
        said.append(str(raised.value).replace("later", "two"))
    assert said[0] == said[1]


def test_rights_are_those_of_the_key(services: Services) -> None:
    keys = services().keys
    key, secret = keys.create("x", [Scope.READ], ["one"])
    assert Rights.of(keys.verify(secret)) == Rights(key.id, frozenset({Scope.READ}), frozenset({"one"}))
