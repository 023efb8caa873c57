"""Optimizers by name: our own searchers and schedulers, and other tuners' methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from maquette.bench.peers.catalogue import PEERS
from maquette.errors import BenchmarkError, nearest
from maquette.schedule import SCHEDULERS
from maquette.search import SEARCHERS

# Recommended is what they observed to be best: they stand for search without a model.
BASELINES = ("random", "sobol")


@final
@dataclass(frozen=True, slots=True)
class Optimizer:
    """What searches.

    Parameters
    ----------
    name
        ``"gp"``, ``"gp+asha"``, or ``"optuna/tpe"``.
    searcher, scheduler
        Of our own; empty for a peer.
    peer, method
        Another tuner; empty for our own.
    """

    name: str
    searcher: str = ""
    scheduler: str = ""
    peer: str = ""
    method: str = ""

    @property
    def slow(self) -> bool:
        """Whether a suggestion takes far longer than 50 ms."""
        return bool(self.peer) and self.method in PEERS[self.peer].slow


def names() -> tuple[str, ...]:
    """Return the names of all optimizers; our searchers go with any scheduler: ``gp+asha``."""
    return (*SEARCHERS, *(name for peer in PEERS.values() for name in peer.optimizers))


def read(given: Sequence[str]) -> tuple[Optimizer, ...]:
    """Return the optimizers of these names.

    Raises
    ------
    BenchmarkError
        If a name is unknown or stands twice; all of them are named.
    """
    problems = [f"{n!r} is given twice" for n in dict.fromkeys(given) if given.count(n) > 1]
    found = []
    for name in given:
        optimizer = _optimizer(name)
        if optimizer is None:
            problems.append(f"unknown optimizer {name!r}." + nearest(name, _near(name)))
        else:
            found.append(optimizer)
    if problems:
        raise BenchmarkError(problems, hint="`maquette bench list` shows them all")
    return tuple(found)


def _optimizer(name: str) -> Optimizer | None:
    peer, _, method = name.partition("/")
    if peer in PEERS and method in PEERS[peer].methods:
        return Optimizer(name, peer=peer, method=method)
    searcher, plus, scheduler = name.partition("+")
    if searcher in SEARCHERS and (scheduler in SCHEDULERS or not plus):
        return Optimizer(name, searcher, scheduler or "full")
    return None


def _near(name: str) -> list[str]:
    searcher, plus, _ = name.partition("+")
    if plus and searcher in SEARCHERS:
        return [f"{searcher}+{s}" for s in SCHEDULERS]
    if name in PEERS:
        return list(PEERS[name].optimizers)
    return list(names())
