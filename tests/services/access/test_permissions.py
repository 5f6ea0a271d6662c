"""Rights: what is outside of them cannot be told from what is not there."""

from __future__ import annotations

import pytest

from indexer.types import AssetKind, SegmentFilter
from services.access.api_keys import Scope
from services.access.errors import InsufficientScope
from services.access.permissions import FULL_ACCESS, Permissions
from services.catalog.errors import CollectionNotFound
from tests.support.containers import MakeContainer

ONE_COLLECTION = Permissions("k", frozenset({Scope.READ}), frozenset({"one", "later"}))


def test_a_scope_that_is_missing_is_named() -> None:
    ONE_COLLECTION.require(Scope.READ)
    with pytest.raises(InsufficientScope, match="this needs a key with the scope write"):
        ONE_COLLECTION.require(Scope.WRITE)
    for scope in Scope:
        FULL_ACCESS.require(scope)


def test_a_filter_is_narrowed_to_what_may_be_seen() -> None:
    kinds = frozenset({AssetKind.VIDEO})
    assert ONE_COLLECTION.scope_filters(SegmentFilter(kinds=kinds)) == SegmentFilter(frozenset({"one", "later"}), kinds)
    one = SegmentFilter(frozenset({"one"}))
    assert ONE_COLLECTION.scope_filters(one) == FULL_ACCESS.scope_filters(one) == one
    assert FULL_ACCESS.scope_filters(SegmentFilter()) == SegmentFilter()
    assert ONE_COLLECTION.scope_filters(SegmentFilter(frozenset())) == SegmentFilter(frozenset())
    assert ONE_COLLECTION.allows("one")
    assert not ONE_COLLECTION.allows("two")


def test_a_collection_outside_is_not_found_in_the_words_for_one_that_is_not_there(
    make_container: MakeContainer,
) -> None:
    catalog = make_container().catalog
    catalog.create_collection("two")
    messages = []
    for look in (
        lambda name: ONE_COLLECTION.scope_filters(SegmentFilter(frozenset({name}))),
        lambda name: catalog.assets([name]),
    ):
        with pytest.raises(CollectionNotFound) as raised:
            look("two" if not messages else "later")
        messages.append(str(raised.value).replace("later", "two"))
    assert messages[0] == messages[1]


def test_rights_are_those_of_the_key(make_container: MakeContainer) -> None:
    keys = make_container().api_keys
    key, secret = keys.create("x", [Scope.READ], ["one"])
    assert Permissions.of_key(keys.verify(secret)) == Permissions(key.id, frozenset({Scope.READ}), frozenset({"one"}))
