"""Runs the cells of a plan that have no result yet, several processes at once."""

from __future__ import annotations

import atexit
import json
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, final

from maquette.bench.catalogue import load
from maquette.bench.compare import results
from maquette.bench.compare.cell import Cell, Done, Peers, run_cell
from maquette.bench.compare.environment import describe
from maquette.bench.compare.plan import Plan, enter, reopen
from maquette.bench.compare.suite import Suite
from maquette.errors import BenchmarkError
from maquette.files import write_whole

Progress = Callable[[int, int, Mapping[str, Any]], None]  # cells done, cells in all, the latest

TIMINGS = "timings.jsonl"
ENVIRONMENT = "environment.json"


@final
@dataclass(frozen=True, slots=True)
class Summary:
    """What a call did.

    Attributes
    ----------
    ran, kept
        Cells that were run, and cells whose results stood there already.
    states
        State to the number of cells that were run and ended so.
    messages
        Optimizer to why a cell of it did not end well: the first reason.
    seconds, optimizer_seconds
        What the cells took, summed, and how much of that the optimizers themselves took.
    """

    ran: int
    kept: int
    states: Mapping[str, int]
    messages: Mapping[str, str]
    seconds: float
    optimizer_seconds: float


def run(
    plan: Plan,
    folder: Path,
    *,
    processes: int = 1,
    patience: float = 600.0,
    retry: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Run what is missing of a plan; the same call again does nothing more.

    Several processes, on one machine or more, may work on one folder with different optimizers: a
    cell that another one has finished meanwhile is not run again. Packed results count as run.

    Parameters
    ----------
    plan
        Suite, optimizers and seeds.
    folder
        Where results stand; made if need be.
    processes
        Cells that run at once. Results do not depend on it.
    patience
        Seconds after which a peer that gives no answer counts as hung.
    retry
        Whether cells that crashed, hung or found no peer are run again.
    progress
        Called after each cell.

    Raises
    ------
    BenchmarkError
        If the folder holds another comparison, tasks cannot be loaded (all of these are named,
        before anything is run), or a process dies.
    """
    enter(folder, plan)
    environment = describe(reopen(folder).optimizers)
    write_whole(folder / ENVIRONMENT, json.dumps(environment, indent=1) + "\n")
    cells = plan.cells()
    kept = results.states(folder)
    todo = [c for c in cells if not _is_settled(kept.get(results.key(c)), retry)]
    _look(todo)
    states: dict[str, int] = {}
    messages: dict[str, str] = {}
    spent = [0.0, 0.0]
    every = _run_all(todo, _Work(plan.suite, folder, patience, frozenset(kept)), processes)
    with (folder / TIMINGS).open("a", 1, encoding="utf-8") as log, closing(every):
        for count, done in enumerate(every, 1):
            if done is None:
                continue
            result, timing = done.result, done.timing
            states[result["state"]] = states.get(result["state"], 0) + 1
            if result["message"]:
                messages.setdefault(result["optimizer"], result["message"])
            spent = [spent[0] + timing["seconds"], spent[1] + timing["optimizer_seconds"]]
            key = {k: result[k] for k in ("task", "optimizer", "seed")}
            log.write(json.dumps({**key, **timing}) + "\n")
            if progress is not None:
                progress(len(cells) - len(todo) + count, len(cells), result)
    ran = sum(states.values())
    return Summary(ran, len(cells) - ran, states, messages, spent[0], spent[1])


def _look(todo: Sequence[Cell]) -> None:
    """Load every task once, so that what is missing is said before hours are spent on others."""
    problems: dict[str, None] = {}
    hint: str | None = None
    for task in dict.fromkeys(cell.task for cell in todo):
        try:
            load(task)
        except BenchmarkError as error:
            problems |= dict.fromkeys(error.problems)
            hint = hint or error.hint
    if problems:
        raise BenchmarkError(list(problems), hint=hint)


def _is_settled(state: str | None, retry: bool) -> bool:
    """Whether a cell with this state, None if it has no result, needs no run."""
    return state in ("done", "unsupported") if retry else state is not None


@final
@dataclass(frozen=True, slots=True)
class _Work:
    """What processes need beside a cell; `old` are the keys of results that stood there before."""

    suite: Suite
    folder: Path
    patience: float
    old: frozenset[results.Key]


def _run_all(todo: list[Cell], work: _Work, processes: int) -> Generator[Done | None, None, None]:
    if processes == 1 or len(todo) < 2:
        peers = Peers(work.patience)
        try:
            for cell in todo:
                yield _run_one(cell, work, peers)
        finally:
            peers.close()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_calm) as pool:
        jobs = (pool.submit(_in_process, c, work) for c in todo)
        try:
            yield from _completed(jobs, 2 * processes)
        except BrokenProcessPool:
            raise BenchmarkError(
                "a process of the comparison died, perhaps for want of memory",
                hint="results so far are kept; the same command goes on",
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _end(multiprocessing.active_children())
            raise


def _end(children: list[multiprocessing.process.BaseProcess]) -> None:
    """End processes, so that none writes a result after this."""
    for child in children:
        child.terminate()
    for child in children:
        child.join(1.0)
        if child.is_alive():  # between two cells the signal has ended the first one alone
            child.kill()
            child.join()


def _completed(jobs: Iterable[Future[Done | None]], most: int) -> Iterator[Done | None]:
    """Yield results as they come, with at most so many jobs under way or waiting."""
    source = iter(jobs)
    waiting = set(islice(source, most))
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        waiting |= set(islice(source, len(done)))
        for future in done:
            yield future.result()


def _run_one(cell: Cell, work: _Work, peers: Peers) -> Done | None:
    """Run a cell and keep its result; None if somebody else has run it meanwhile."""
    if results.key(cell) not in work.old and results.path(work.folder, cell).exists():
        return None
    done = run_cell(cell, work.suite, peers)
    results.write(work.folder, cell, done.result)
    return done


def _calm() -> None:
    """Leave Ctrl-C to the process that started us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def _peers(patience: float) -> Peers:
    """The peers of this process, kept from one cell to the next."""
    peers = Peers(patience)
    atexit.register(peers.close)
    return peers


def _in_process(cell: Cell, work: _Work) -> Done | None:
    return _run_one(cell, work, _peers(work.patience))
