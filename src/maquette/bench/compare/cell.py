"""One cell of a comparison: one optimizer on one task with one seed, in simulated time."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, final

import numpy as np

from maquette._version import __version__
from maquette.bench.catalogue import load
from maquette.bench.compare.course import STUDY, Course, Mark, within
from maquette.bench.compare.optimizers import BASELINES, Optimizer
from maquette.bench.compare.suite import Suite
from maquette.bench.peers.catalogue import peer as peer_named
from maquette.bench.peers.client import PeerError, PeerProcess, PeerUnsupportedError, command
from maquette.bench.peers.searcher import PeerScheduler, PeerSearcher
from maquette.bench.task import Task
from maquette.errors import BenchmarkError, MaquetteError, StudyError
from maquette.history import History
from maquette.rng import derived_seed, generator
from maquette.schedule import by_name as scheduler_by_name
from maquette.search import by_name as searcher_by_name
from maquette.simulate import simulate, virtual_store
from maquette.space import Choice
from maquette.study import Interrupted, Study
from maquette.study.best import find_best
from maquette.trial import Config

# Names the streams of random numbers of shared starts; any constants would do.
_START, _WARM = 31337, 31338
_WARM_TRIALS = 100
_DIGITS = 12


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """A task, an optimizer and a seed."""

    task: str
    optimizer: Optimizer
    seed: int


@final
@dataclass(slots=True)
class Peers:
    """Running peers, one process each, used for one cell after the other; close them."""

    patience: float = 600.0
    _running: dict[str, PeerProcess] = field(default_factory=dict)

    @contextmanager
    def use(self, name: str) -> Iterator[PeerProcess]:
        """Lend a peer's process, started if need be; one that failed is not lent again."""
        if name not in self._running:
            self._running[name] = PeerProcess(name, command(peer_named(name)), self.patience)
        try:
            yield self._running[name]
        except PeerUnsupportedError:
            raise
        except BaseException:
            self._running.pop(name).close()
            raise

    def close(self) -> None:
        """End them all."""
        while self._running:
            self._running.popitem()[1].close()


@final
@dataclass(frozen=True, slots=True)
class Done:
    """A finished cell: what is kept, the same in every run, and what it took, which is not."""

    result: Mapping[str, Any]
    timing: Mapping[str, float]


def run_cell(cell: Cell, suite: Suite, peers: Peers) -> Done:
    """Run a cell; what goes wrong with its optimizer is its result.

    Raises
    ------
    BenchmarkError
        If the task cannot be loaded: then nothing was compared.
    Interrupted
        On Ctrl-C, as `Study.run`: the cell has no result.
    """
    began = time.perf_counter()
    task = load(cell.task)
    if suite.proxies and task.scale is None:
        raise BenchmarkError(f"suite {suite.name!r} runs proxies, and {task.name} has no scale")
    seed = derived_seed(cell.seed, zlib.crc32(cell.task.encode()))
    state, message, found = "done", "", _Found()
    try:
        if cell.optimizer.peer:
            _run_peer(cell, task, suite, seed, peers, found)
        else:
            _run_own(cell, task, suite, seed, found)
    except Interrupted:
        raise
    except PeerError as error:
        state, message = error.how, str(error)
    except BenchmarkError as error:
        state, message = "missing", str(error)
    except Exception as error:  # an optimizer of ours that fails is a result, and a bug
        state, message = "crashed", f"{type(error).__name__}: {error}"
    result = {
        "task": cell.task,
        "optimizer": cell.optimizer.name,
        "seed": cell.seed,
        "state": state,
        "message": message.partition("\nhint:")[0],
        "versions": dict(found.versions),
        "trials": found.counts,
        "refused": found.refused,
        "curve": curve(task, found.marks),
        "config": found.marks[-1].config if found.marks else None,
    }
    whole = time.perf_counter() - began
    return Done(result, {"seconds": whole, "optimizer_seconds": found.seconds})


@final
@dataclass(slots=True)
class _Found:
    """What a run leaves behind, however it ends."""

    marks: list[Mark] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    refused: int = 0
    seconds: float = 0.0


def _run_own(cell: Cell, task: Task, suite: Suite, seed: int, found: _Found) -> None:
    optimizer = cell.optimizer
    found.versions = {"maquette": __version__}
    designed = suite.proxies and optimizer.scheduler == "proxies"
    recommend = None if optimizer.searcher in BASELINES else _recipe if designed else _best
    searcher = searcher_by_name(optimizer.searcher)
    course = Course(searcher, start(task, suite, seed), recommend)
    scheduler = scheduler_by_name(optimizer.scheduler)
    _simulate(task, suite, seed, (course, scheduler), found, designed=designed)
    found.seconds = course.seconds


def _run_peer(cell: Cell, task: Task, suite: Suite, seed: int, peers: Peers, found: _Found) -> None:
    optimizer = cell.optimizer
    problem = {
        "seed": seed,
        "trials": suite.limit.trials,
        "workers": suite.workers,
        "duration": next((list(ends) for ends in task.duration.values()), None),
    }
    with peers.use(optimizer.peer) as process:
        before = process.seconds
        try:
            searcher = PeerSearcher(process, optimizer.method, problem, task.space)
            found.versions = searcher.versions
            course = Course(searcher, start(task, suite, seed), searcher.recommend)
            _simulate(task, suite, seed, (course, PeerScheduler(searcher)), found)
            found.refused = searcher.refused
        finally:
            found.seconds = process.seconds - before


def _simulate(
    task: Task,
    suite: Suite,
    seed: int,
    methods: tuple[Course, Any],
    found: _Found,
    *,
    designed: bool = False,
) -> None:
    """Run the study; note its marks and counts even where the optimizer fails on the way.

    All but designs of proxies run in one cell: the target, or the cheapest proxy.
    """
    course, scheduler = methods
    settings = task.settings if designed else task.settings | {"scale": None}
    proxy = task.scale.cells[0] if suite.proxies and task.scale is not None else None
    store = virtual_store()
    study = Study(
        STUDY, task.space, store=store, searcher=course, scheduler=scheduler, seed=seed, **settings
    )
    try:
        simulate(study, partial(task.replay, cell=proxy), suite.limit, suite.workers)
        course.mark(within(store, study.history, suite.limit))
    finally:
        found.marks = course.marks
        found.counts = dict(sorted(study.history.counts().items()))


def _best(history: History) -> Config | None:
    try:
        return find_best(history).config
    except StudyError:  # nothing has finished with a result
        return None


def _recipe(history: History) -> Config | None:
    """Return the settings for the target, as `Study.transfer` does, within the space."""
    from maquette.study.evidence import recipe

    try:
        found = recipe(STUDY, history, {}).config
    except MaquetteError:  # too few runs to say anything of the target
        return None
    parameters = dict(history.space.items())
    return {
        name: value if isinstance(p := parameters[name], Choice) else min(max(value, p.low), p.high)
        for name, value in found.items()
    }


def start(task: Task, suite: Suite, seed: int) -> Sequence[Config]:
    """Return the configs with which every optimizer starts."""
    shared = task.space.sample(generator(seed, _START), suite.initial) if suite.initial else []
    if not suite.warm:
        return shared
    source = _related(task, suite)
    drawn = source.space.sample(generator(seed, _WARM), _WARM_TRIALS)
    losses = source.losses(drawn, np.arange(_WARM_TRIALS))
    order = np.argsort(np.where(np.isnan(losses), np.inf, losses), kind="stable")
    return [*(drawn[i] for i in order[: suite.warm].tolist()), *shared]


def _related(task: Task, suite: Suite) -> Task:
    """Return the next task of the suite with the same space, in a circle."""
    place = suite.tasks.index(task.name)
    for name in (*suite.tasks[place + 1 :], *suite.tasks[:place]):
        other = load(name)
        if other.space.to_json() == task.space.to_json():
            return other
    raise BenchmarkError(
        f"suite {suite.name!r}: no other task has the space of {task.name}, "
        "so there is nothing to start warm from"
    )


def curve(task: Task, marks: Sequence[Mark]) -> list[list[float | None]]:
    """Return [ended trials, seconds, cost, normalised regret] of each mark; None: no regret."""
    configs = [m.config for m in marks if m.config is not None]
    keys = [task.space.key(c) for c in configs]
    distinct = dict(zip(keys, configs, strict=True))
    regrets = dict(zip(distinct, true_regret(task, list(distinct.values())), strict=True))
    found = iter(keys)
    rows: list[list[float | None]] = []
    for m in marks:
        regret = None if m.config is None else regrets[next(found)]
        rows.append([m.ended, _short(m.seconds), _short(m.cost), regret])
    return rows


def true_regret(task: Task, configs: Sequence[Config]) -> list[float | None]:
    """Return normalised regrets; on the test instances alone, where a task keeps some back."""
    if not configs:
        return []
    test = [int(i) for i in task.instances.test] if task.instances is not None else []
    if test:
        every = [task.losses(configs, [row] * len(configs)) for row in test]
        losses = np.mean(every, axis=0)
        regrets = (losses - task.optimum) / (task.median - task.optimum)
    else:
        regrets = task.regret(configs)
    return [_short(r) if np.isfinite(r) else None for r in regrets.tolist()]


def _short(value: float) -> float:
    """Twelve digits: the same on machines whose last digits differ."""
    return float(f"{value:.{_DIGITS}g}")
