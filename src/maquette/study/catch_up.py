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
    events = store.read(study, history.last, AT_ONCE)
    # Paused over all of them: between two blocks it would look through every trial folded so far.
    with collector_paused(len(events)):
        while events:
            history.extend(events)
            whole = len(events) == AT_ONCE
            events = store.read(study, history.last, AT_ONCE) if whole else ()


def take_in(history: History, store: Store, study: int, events: Sequence[Event]) -> None:
    """Fold events that were written just now, and those of others that came before them."""
    if events and events[0].number == history.last + 1:
        history.extend(events)
    else:
        catch_up(history, store, study)
