"""The Slurm kind of executor, as users write it: what each job asks the cluster for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from maquette.errors import ExecutorError, nearest
from maquette.number import as_number, as_seconds, is_amount, is_count, written_number

if TYPE_CHECKING:
    from maquette.executor.protocol import Executor, Function

_CLUSTERS = ("slurm", "local")
# Slurm's own forms: minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]].
_CLOCK = re.compile(r"(?:(\d+)-(\d+)(?::(\d+)(?::(\d+))?)?|(?:(\d+):)?(\d+):(\d+))")
_MEMORY = re.compile(r"([0-9.]+)\s*([KMGT])i?B?", re.IGNORECASE)
_MEGABYTES = {"B": 1 / 1024**2, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_KEY = re.compile(r"[a-z][a-z0-9-]*")
# Options of sbatch that stand for a parameter, or are Maquette's own business.
_INSTEAD = {
    "cpus-per-task": "cpus",
    "gpus-per-node": "gpus",
    "mem": "memory",
    "nodes": "nodes",
    "ntasks-per-node": "tasks_per_node",
    "partition": "partition",
    "time": "time",
}
_OURS = ("array", "error", "job-name", "no-requeue", "ntasks", "output", "requeue", "signal")


@final
@dataclass(frozen=True, slots=True)
class Slurm:
    """Each job is a job of Slurm's, submitted with sbatch (needs submitit).

    The study's driver runs where sbatch does, and may end and be started again while jobs go on.
    Trials' folders must lie on a file system that the nodes share.

    Parameters
    ----------
    partition
        Where jobs queue; None: the cluster's default.
    time
        The most that one job may take: seconds, ``"4h"``, or as Slurm writes it
        (``"1-12:00:00"``); None: the partition's default.
    gpus
        GPUs of a node.
    cpus
        CPUs of a task; numerical libraries get as many threads. None: the cluster's default.
    memory
        Memory of a node: bytes, or a text such as ``"32G"``; None: the cluster's default.
    nodes, tasks_per_node
        With more than one task, the function runs in every one; see `Trial.report` on ranks.
    sbatch
        Further options of sbatch: name to value, true for an option that takes none.
    setup
        Lines of shell to run first in each job, such as ``"module load cuda"``.
    python
        The interpreter's command on the nodes; None: this one.
    grace
        Seconds between SIGTERM and SIGKILL.
    cluster
        ``"local"`` runs jobs on this machine, to try things out; the rest is then ignored, but
        for `gpus`, `tasks_per_node` and `setup`.

    Raises
    ------
    ExecutorError
        Naming every parameter that is none.
    """

    partition: str | None = None
    time: float | str | None = None
    gpus: int = 0
    cpus: int | None = None
    memory: float | str | None = None
    nodes: int = 1
    tasks_per_node: int = 1
    sbatch: Mapping[str, str | float | bool] = field(default_factory=dict)
    setup: Sequence[str] = ()
    python: str | None = None
    grace: float = 5.0
    cluster: str = "slurm"

    def __post_init__(self) -> None:
        problems = [
            *self._word_problems(),
            *self._number_problems(),
            *_option_problems(self.sbatch),
        ]
        if problems:
            raise ExecutorError(problems)

    @property
    def inline(self) -> bool:
        """False."""
        return False

    def open(self, fn: Function, workers: int) -> Executor:
        """Return an executor that keeps up to `workers` jobs waiting or running in Slurm."""
        from maquette.executor.batch import BatchExecutor
        from maquette.executor.launcher import Terms
        from maquette.executor.submission import LocalLauncher, SlurmLauncher

        if self.cluster == "local":
            local = LocalLauncher(self._local_parameters(), self.python)
            quick = Terms(threads=1, grace=self.grace, look=0.5, settle=0.5)
            return BatchExecutor(fn, workers, local, quick)
        launcher = SlurmLauncher(self._parameters(), self.python)
        limit = None if self.time is None else _seconds(self.time)
        terms = Terms(threads=self.cpus, grace=self.grace, limit=limit, warning=self._warning())
        return BatchExecutor(fn, workers, launcher, terms)

    def _warning(self) -> float:
        """Return how long before its end a job is warned: time to end it, and to say so."""
        return math.ceil(self.grace) + 25

    def _parameters(self) -> dict[str, Any]:
        """Return the parameters as submitit's SlurmExecutor takes them."""
        seconds = None if self.time is None else _seconds(self.time)
        memory = None if self.memory is None else _megabytes(self.memory)
        given = {
            "partition": self.partition,
            "gpus_per_node": self.gpus or None,
            "cpus_per_task": self.cpus,
            "mem": None if memory is None else f"{memory}M",
        }
        return {
            **{name: value for name, value in given.items() if value is not None},
            # None leaves the option out; submitit's own default is five minutes.
            "time": None if seconds is None else math.ceil(seconds / 60),
            "nodes": self.nodes,
            "ntasks_per_node": self.tasks_per_node,
            "signal_delay_s": self._warning(),
            "setup": list(self.setup) or None,
            "srun_args": ["--kill-on-bad-exit=1"],
            # What is lost is started again by the study, under a new fencing token.
            "additional_parameters": {"no-requeue": True, **self.sbatch},
        }

    def _local_parameters(self) -> dict[str, Any]:
        """Return the parameters as submitit's LocalExecutor takes them."""
        return {
            "tasks_per_node": self.tasks_per_node,
            "gpus_per_node": self.gpus,
            "timeout_min": 60 * 24 * 365,
            "setup": list(self.setup),
        }

    # --- checks ----------------------------------------------------------------------------

    def _word_problems(self) -> list[str]:
        problems = []
        for name in ("partition", "python"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value.strip()):
                problems.append(f"{name} must be a text, not {value!r}")
        if self.cluster not in _CLUSTERS:
            problems.append(
                f"unknown cluster {self.cluster!r}." + nearest(str(self.cluster), _CLUSTERS)
            )
        setup: object = self.setup
        lines = isinstance(setup, Sequence) and not isinstance(setup, str)
        if not lines or not all(isinstance(line, str) for line in self.setup):
            problems.append(f"setup must be a list of lines of shell, not {self.setup!r}")
        return problems

    def _number_problems(self) -> list[str]:
        problems = []
        for name in ("nodes", "tasks_per_node", "cpus"):
            value = getattr(self, name)
            if not (is_count(value) or (name == "cpus" and value is None)):
                problems.append(f"{name} must be a positive whole number, not {value!r}")
        if not is_count(self.gpus, 0):
            problems.append(f"gpus must be a whole number, zero or more, not {self.gpus!r}")
        if self.time is not None and _seconds(self.time) is None:
            problems.append(
                f'time must be seconds, or a text such as "4h" or "1-12:00:00", not {self.time!r}'
            )
        if self.memory is not None and _megabytes(self.memory) is None:
            problems.append(f'memory must be bytes, or a text such as "32G", not {self.memory!r}')
        if not is_amount(self.grace):
            problems.append(f"grace must be seconds, zero or more, not {self.grace!r}")
        if self.cluster == "local" and self.nodes != 1:
            problems.append(f'cluster="local" has one node, not {self.nodes!r}')
        return problems


def _option_problems(options: object) -> list[str]:
    """Say which further options of sbatch cannot be given."""
    if not isinstance(options, Mapping):
        return [f"sbatch must be a mapping of options to values, not {options!r}"]
    problems = []
    for key, value in options.items():
        where = f"sbatch[{key!r}]"
        plain = key.replace("_", "-") if isinstance(key, str) else ""
        if not isinstance(key, str) or not _KEY.fullmatch(plain):
            problems.append(f'{where} is no option; write it as in "--{plain or "account"}"')
        elif plain in _INSTEAD:
            problems.append(f"{where} is given by the parameter {_INSTEAD[plain]}")
        elif plain in _OURS:
            problems.append(f"{where} is set by Maquette")
        if value is not True and (
            isinstance(value, bool) or not isinstance(value, str | int | float)
        ):
            problems.append(f"{where} must be a text, a number or True, not {value!r}")
        elif "\n" in str(value):
            problems.append(f"{where} holds a line break: {value!r}")
    return problems


def _seconds(value: object) -> float | None:
    """Return a time span in seconds; None if it is none."""
    clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if clock is None:
        return as_seconds(value)
    days, *after_days, hours, minutes, rest = (int(g or 0) for g in clock.groups())
    first = days * 86400 + sum(n * u for n, u in zip(after_days, (3600, 60, 1), strict=True))
    return float(first + hours * 3600 + minutes * 60 + rest) or None


def _megabytes(value: object) -> int | None:
    """Return an amount of memory in megabytes; None if it is none."""
    number, unit = as_number(value), "B"
    if isinstance(value, str):
        match = _MEMORY.fullmatch(value.strip())
        number, unit = (written_number(match[1]), match[2].upper()) if match else (None, "B")
    if number is None or not math.isfinite(number) or number <= 0:
        return None
    return math.ceil(number * _MEGABYTES[unit])
