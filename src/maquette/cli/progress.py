"""How a run stands, while it runs.

One live line on a terminal, a plain line now and then elsewhere; all of it goes to stderr.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, final

from maquette.cli.output import note, short

if TYPE_CHECKING:
    from maquette.history import History, TrialRecord
    from maquette.study import Budget

LINE_SECONDS = 5.0  # between two lines where there is no terminal


@final
class Progress:
    """Shows done, running, failed, best so far and time left, until it is closed.

    Parameters
    ----------
    name
        The study's name.
    budget
        What the run may spend; the time left is estimated from it.
    """

    def __init__(self, name: str, budget: Budget) -> None:
        self._name, self._budget = name, budget
        self._live = sys.stderr.isatty()
        self._next = 0.0
        self._line = ""
        self._shown = ""

    def update(self, history: History, running: Mapping[int, str]) -> None:
        """Show how the study stands; a `watch` for `Study.run`."""
        line = self._line = describe(self._name, history, len(running), self._budget)
        if self._live:
            sys.stderr.write(f"\r\033[2K{_cut(line)}")
            sys.stderr.flush()
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_SECONDS
            note(line)
            self._shown = line

    def close(self) -> None:
        """Leave the last state standing on a line of its own; idempotent."""
        if self._live and self._line:
            sys.stderr.write(f"\r\033[2K{self._line}\n")
            sys.stderr.flush()
        elif self._line != self._shown:
            note(self._line)
        self._line = self._shown = ""


def describe(name: str, history: History, running: int, budget: Budget) -> str:
    """Return one line: done of total, running, failed, best so far, time left."""
    counts = history.counts()
    ended = len(history.finished.trial)
    failed = sum(counts.get(s, 0) for s in ("diverged", "oom", "timeout", "crashed"))
    total = f"/{budget.trials}" if budget.trials is not None else ""
    parts = [f"{name}: {ended}{total} trials", f"{running} running"]
    if counts.get("stopped"):
        parts.append(f"{counts['stopped']} stopped early")
    if failed:
        parts.append(f"{failed} failed")
    best = best_observed(history)
    if best is not None:
        value = history.objective.value(best.loss)
        parts.append(f"best {history.objective.primary} {short(value)}")
    left = seconds_left(history, budget)
    if left is not None and running:
        parts.append(f"about {clock(left)} left")
    return ", ".join(parts)


def best_observed(history: History) -> TrialRecord | None:
    """Return the trial with the lowest measured loss, at the largest cell that has one."""
    cell = largest_cell(history)
    return min(
        (t for t in _measured(history) if tuple(t.scale.values()) == cell),
        key=lambda t: t.loss,
        default=None,
    )


def largest_cell(history: History) -> tuple[float, ...]:
    """Return the values on the scale's axes of the largest cell that has results; else empty."""
    cells = {tuple(t.scale.values()) for t in _measured(history)}
    return max(cells, key=lambda cell: (math.prod(cell), cell), default=())


def _measured(history: History) -> list[TrialRecord]:
    return [t for t in history.trials if t.state == "done" and math.isfinite(t.loss)]


def seconds_left(history: History, budget: Budget) -> float | None:
    """Estimate the seconds until the first bound of the budget is reached; None: no idea yet."""
    elapsed, ended = history.elapsed(), len(history.finished.trial)
    left = []
    if budget.seconds is not None:
        left.append(budget.seconds - elapsed)
    if budget.trials is not None and ended:
        left.append(elapsed / ended * (budget.trials - ended))
    if budget.cost is not None and history.cost > 0:
        left.append(elapsed / history.cost * (budget.cost - history.cost))
    return max(0.0, min(left)) if left else None


def clock(seconds: float) -> str:
    """Return ``45 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _cut(line: str) -> str:
    import shutil

    width = shutil.get_terminal_size().columns - 1
    return line if len(line) <= width else line[: max(0, width - 3)] + "..."
