"""Rights: what is outside of them cannot be told from what is not there."""

from __future__ import annotations

import pytest
from shared import Services

from indexer.errors import CollectionNotFound, InsufficientScope
from indexer.types import AssetKind, SegmentFilter
from services.keys import Scope
from services.rights import FULL_ACCESS, Permissions

ONE = Permissions("k", frozenset({Scope.READ}), frozenset({"one", "later"}))


def test_a_scope_that_is_missing_is_named() -> None:
    ONE.require(Scope.READ)
    with pytest.raises(InsufficientScope, match="this needs a key with the scope write"):
        ONE.require(Scope.WRITE)
    for scope in Scope:
        FULL_ACCESS.require(scope)


def test_a_filter_is_narrowed_to_what_may_be_seen() -> None:
    kinds = frozenset({AssetKind.VIDEO})
    assert ONE.scope_filters(SegmentFilter(kinds=kinds)) == SegmentFilter(frozenset({"one", "later"}), kinds)
    one = SegmentFilter(frozenset({"one"}))
    assert ONE.scope_filters(one) == FULL_ACCESS.scope_filters(one) == one
    assert FULL_ACCESS.scope_filters(SegmentFilter()) == SegmentFilter()
    assert ONE.scope_filters(SegmentFilter(frozenset())) == SegmentFilter(frozenset())
    assert ONE.allows("one")
    assert not ONE.allows("two")


def test_a_collection_outside_is_not_found_in_the_words_for_one_that_is_not_there(services: Services) -> None:
    catalog = services().catalog
    catalog.create_collection("two")
    said = []
    for look in (lambda name: ONE.scope_filters(SegmentFilter(frozenset({name}))), lambda name: catalog.assets([name])):
        with pytest.raises(CollectionNotFound) as raised:
            look("two" if not said else "later")
        said.append(str(raised.value).replace("later", "two"))
    assert said[0] == said[1]


def test_rights_are_those_of_the_key(services: Services) -> None:
    keys = services().api_keys
    key, secret = keys.create("x", [Scope.READ], ["one"])
    assert Permissions.of_key(keys.verify(secret)) == Permissions(key.id, frozenset({Scope.READ}), frozenset({"one"}))
