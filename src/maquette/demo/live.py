"""Progress for a person who waits: one live block on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from maquette.demo.target import TargetRun
from maquette.history import History
from maquette.trial import State

if TYPE_CHECKING:
    from rich.console import RenderableType

LINE_SECONDS = 10.0  # between two lines where there is no terminal


@final
class Live:
    """Shows a study, then the target runs, on stderr, until it is closed."""

    def __init__(self, trials: int) -> None:
        from rich.console import Console
        from rich.live import Live as Block

        self._console = Console(stderr=True)
        self._trials = trials
        self._block = (
            Block(console=self._console, refresh_per_second=8, transient=True)
            if self._console.is_terminal
            else None
        )
        self._next = time.monotonic() + LINE_SECONDS
        self._began = time.monotonic()
        if self._block is not None:
            self._block.start()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._block is not None:
            self._block.stop()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        if self._block is not None:
            self._block.console.print(text, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def study(self, history: History, running: Mapping[int, str]) -> None:
        """Show how a study stands; a `watch` for `Study.run`."""
        counts = history.counts()
        ended = sum(n for state, n in counts.items() if not State(state).pending)
        states = ", ".join(f"{n} {state}" for state, n in counts.items() if state != "queued")
        head = f"tuning {ended}/{self._trials} trials"
        self._show(f"{head}: {states}", ended / max(1, self._trials), _cells(history))

    def targets(self, runs: Sequence[TargetRun]) -> None:
        """Show how the target runs stand; a `watch` for `train_all`."""
        done = [run.steps[-1] if run.steps else 0.0 for run in runs]
        parts = [
            f"{run.label} {100 * part:.0f} %" + (f", loss {run.losses[-1]:.3f}" if part else "")
            for run, part in zip(runs, done, strict=True)
        ]
        rows = [(run.label, _bar(part), _last(run)) for run, part in zip(runs, done, strict=True)]
        part = sum(done) / max(1, len(done))
        self._show(f"training at the target: {'; '.join(parts)}", part, rows)

    def _show(self, line: str, part: float, rows: Sequence[tuple[str, ...]]) -> None:
        now = time.monotonic()
        if self._block is not None:
            self._block.update(_block(line, part, rows, now - self._began))
        elif now >= self._next:
            self._next = now + LINE_SECONDS
            print(line, file=sys.stderr, flush=True)


def _block(
    line: str, part: float, rows: Sequence[tuple[str, ...]], seconds: float
) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for row in rows:
        table.add_row(*[Text(cell) for cell in row])
    return Group(
        Text(f"{line}  ({seconds:.0f} s)"), ProgressBar(1.0, min(1.0, part), width=60), table
    )


def _cells(history: History) -> list[tuple[str, ...]]:
    """One row a cell: name, trials by state, best loss."""
    scale = history.problem.scale
    rows: list[tuple[str, ...]] = []
    for cell in scale.cells if scale else ():
        trials = history.in_cell(cell)
        done = [t.loss for t in trials if math.isfinite(t.loss)]
        best = f"best {min(done):.4f}" if done else ""
        name = " ".join(f"{k} {v:g}" for k, v in cell.items())
        rows.append((name, f"{len(done)} done of {len(trials)}", best))
    return rows


def _bar(part: float, width: int = 24) -> str:
    full = round(part * width)
    return "━" * full + "╌" * (width - full)


def _last(run: Any) -> str:
    if run.state is State.DONE:
        return f"held-out loss {run.loss:.4f}"
    return f"loss {run.losses[-1]:.4f}" if run.losses else run.state.value
