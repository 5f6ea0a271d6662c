"""Fixtures of the product's tests that the benchmarks' tests use."""

from tests.conftest import _plain_environment, archive, indexed_home, loaded, services

__all__ = ["_plain_environment", "archive", "indexed_home", "loaded", "services"]
