"""What can go wrong, as one tree.

    MaquetteError
    ├── SpaceError        a search space or a config that does not fit it
    ├── ObjectiveError    what is optimised, or what a run returned
    ├── ScaleError        axes, proxies and targets
    ├── DataError         a table of runs
    ├── StudyError        a study's settings, budget or state
    ├── Interrupted       the user stopped a run (maquette.study)
    ├── StoreError        a store that cannot be read or written
    │   ├── StoreVersionError
    │   ├── LeaseLostError          another owner has taken a job (maquette.store)
    │   └── StoreUnavailableError   it may answer again: a full disk, a server that restarts
    │       └── StoreLockedError
    ├── SweepError        a sweep file
    ├── ExecutorError     where jobs run
    │   └── ProgramError  a program that a sweep runs
    ├── CheckpointError   a checkpoint that cannot be kept or read
    ├── PlanError         a model whose parametrization cannot be derived
    └── BenchmarkError    a benchmark's tasks, their data, or its results

Every error says what is wrong, where, and how to mend it; several problems are reported at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class MaquetteError(Exception):
    """Base of all errors that Maquette raises on purpose.

    Parameters
    ----------
    problems
        One message, or every problem found.
    hint
        One line that says what to do next.
    """

    code = "MQ000"

    def __init__(self, problems: str | Sequence[str], *, hint: str | None = None) -> None:
        self.problems: tuple[str, ...] = (
            (problems,) if isinstance(problems, str) else tuple(problems)
        )
        self.hint = hint
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.problems) == 1:
            head = self.problems[0]
        else:
            lines = "\n".join(f"  {i}. {p}" for i, p in enumerate(self.problems, 1))
            head = f"{len(self.problems)} problems:\n{lines}"
        return f"{head}\nhint: {self.hint}" if self.hint else head


class SpaceError(MaquetteError):
    """A search space is malformed, or a config does not belong to it."""

    code = "MQ100"


class ObjectiveError(MaquetteError):
    """An objective is malformed, or a run returned something that is not a result."""

    code = "MQ150"


class ScaleError(MaquetteError):
    """A scale axis, proxy or target is malformed."""

    code = "MQ200"


class DataError(MaquetteError):
    """A table of runs cannot be used."""

    code = "MQ250"


class StudyError(MaquetteError):
    """A study's settings, budget or state forbid what was asked."""

    code = "MQ300"


class StoreError(MaquetteError):
    """A store cannot be opened, read or written."""

    code = "MQ350"


class StoreVersionError(StoreError):
    """A store was written by another version of Maquette."""

    code = "MQ351"


class StoreUnavailableError(StoreError):
    """A store cannot be used for now: its disk is full, or its server does not answer.

    What the call was to write is not written, so that it may be repeated.
    """

    code = "MQ354"


class StoreLockedError(StoreUnavailableError):
    """A store stayed locked by another process for longer than the time limit."""

    code = "MQ352"


class ExecutorError(MaquetteError):
    """Jobs cannot be started here."""

    code = "MQ400"


class ProgramError(ExecutorError):
    """A program that a sweep runs failed; the message says all there is to say."""

    code = "MQ401"


class SweepError(MaquetteError):
    """A sweep file, or the command line that it is to run, is malformed."""

    code = "MQ320"


class CheckpointError(MaquetteError):
    """A checkpoint cannot be kept or read."""

    code = "MQ420"


class PlanError(MaquetteError):
    """The parametrization of a model cannot be derived."""

    code = "MQ450"


class BenchmarkError(MaquetteError):
    """A benchmark's tasks, their data, or its results cannot be used."""

    code = "MQ550"


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest valid name, or a list of the valid ones."""
    names = [str(v) for v in valid]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f" Valid: {shown}."
