"""What the tests of comparisons share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maquette.bench import catalogue
from tests.bench.problem import TOY
from tests.cli.conftest import cli

__all__ = ["cli"]


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make ``toy/valley`` and ``toy/hill`` the only tasks."""
    monkeypatch.setattr(catalogue, "FAMILIES", ("toy",))
    monkeypatch.setattr(catalogue, "family", lambda name: TOY)
    catalogue.load.cache_clear()
    yield
    catalogue.load.cache_clear()
