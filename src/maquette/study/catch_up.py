"""Bringing a history up to where its study stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from maquette.events import Event
from maquette.history import History
from maquette.store.codec import collector_paused
from maquette.store.protocol import Store

AT_ONCE: Final = 12_000
"""Events that are read at once: more would take memory that is not given back."""


def catch_up(history: History, store: Store, study: int) -> None:
    """Fold what a store holds beyond the last event of a history."""
    while events := store.read(study, history.last, AT_ONCE):
        with collector_paused(len(events)):
            history.extend(events)
        if len(events) < AT_ONCE:
            return


def take_in(history: History, store: Store, study: int, events: Sequence[Event]) -> None:
    """Fold events that were written just now, and those of others that came before them."""
    if events and events[0].number == history.last + 1:
        history.extend(events)
    else:
        catch_up(history, store, study)
