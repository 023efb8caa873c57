"""The contract, held against every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maquette.store import Store
from maquette.testing.stores import STORE_CHECKS


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_contract(store: Store, check: Callable[[Store], None]) -> None:
    check(store)


def test_every_store_is_a_store(store: Store) -> None:
    assert isinstance(store, Store)
