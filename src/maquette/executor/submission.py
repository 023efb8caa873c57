"""Slurm, or its stand-in on this machine, through submitit.

submitit writes what sbatch reads and starts our agent at the other end; nothing that it pickles is
read here. Slurm is asked about its jobs directly, because accounting (sacct), which submitit
relies on, is not set up everywhere.

References: submitit, https://github.com/facebookincubator/submitit; sbatch(1), squeue(1), sacct(1),
scancel(1).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from maquette.errors import ExecutorError
from maquette.executor import agent
from maquette.executor.launcher import BusyError, Standing
from maquette.executor.slurm_states import read_states, standing
from maquette.trial import State

_FOLDER = "submitit"
_PATIENCE_SECONDS = 60.0
# What sbatch says when it is worth another try.
_BUSY = (
    "Socket timed out",
    "Unable to contact slurm controller",
    "temporarily unable",
    "Resource temporarily unavailable",
    "Connection refused",
    "Zero Bytes were transmitted",
    "MaxSubmitJob",
)
_UNKNOWN = Standing(State.INTERRUPTED, "Slurm knows nothing of it any more", lost=True)


def submitit() -> Any:
    """Return the module submitit; ExecutorError if it is not installed."""
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise ExecutorError(
            "the Slurm executor needs submitit", hint="pip install 'maquette[slurm]'"
        ) from None


def launched(folder: str) -> None:
    """Run the agent of one rank; what a batch system's job calls."""
    module = submitit()
    environment = module.JobEnvironment()
    if environment.num_tasks > 1:
        # What torch.distributed.init_process_group finds in the environment.
        ranks = module.helpers.TorchDistributedEnvironment()
        ranks.export(set_cuda_visible_devices=False, overwrite=True)
    agent.run(Path(folder), environment.global_rank, environment.num_tasks)


@final
class SlurmLauncher:
    """Hands jobs to Slurm.

    Parameters
    ----------
    parameters
        As submitit's SlurmExecutor takes them.
    python
        The interpreter's command on the nodes; None: this one.

    Raises
    ------
    ExecutorError
        If submitit or Slurm is not here, or submitit refuses a parameter.
    """

    def __init__(self, parameters: Mapping[str, Any], python: str | None) -> None:
        self._parameters = dict(parameters)
        self._python = python
        self._make(Path("."))

    @property
    def place(self) -> str:
        """Slurm."""
        return "slurm"

    @property
    def shared(self) -> bool:
        """Jobs run on other machines."""
        return True

    def submit(self, run: Path, title: str) -> str:
        """Hand a job to sbatch."""
        executor = self._make(run / _FOLDER)
        executor.update_parameters(job_name=title)
        try:
            return str(executor.submit(launched, str(run)).job_id)
        except RuntimeError as error:  # with what sbatch wrote on stderr
            said = str(error).strip()
            if any(word in said for word in _BUSY):
                raise BusyError(f"sbatch: {said}") from None
            raise ExecutorError(f"Slurm refuses a job: {said or 'sbatch failed'}") from None

    def standings(self, numbers: Collection[str]) -> Mapping[str, Standing]:
        """Ask squeue, and sacct for what squeue has forgotten."""
        listed = _output("squeue", "--me", "--states=all", "--noheader", "--format=%i|%T")
        if listed is None:
            return {}
        words = dict(read_states(listed))
        rest = [number for number in numbers if number not in words]
        if rest:
            line = ("sacct", "-n", "-P", "-X", "-o", "JobID,State", "-j", ",".join(rest))
            words.update(read_states(_output(*line) or ""))
        return {n: standing(words[n]) if n in words else _UNKNOWN for n in numbers}

    def cancel(self, number: str) -> None:
        """Have Slurm end a job: SIGTERM, and SIGKILL after its KillWait."""
        _output("scancel", number)

    def close(self) -> None:
        """Nothing is held."""

    def _make(self, folder: Path) -> Any:
        module = submitit()
        try:
            executor = module.SlurmExecutor(folder=folder, python=self._python)
        except RuntimeError:
            raise ExecutorError(
                "there is no Slurm here: srun is not found",
                hint='run on a login node, or try mq.executor.Slurm(cluster="local")',
            ) from None
        try:
            executor.update_parameters(**self._parameters)
        except (ValueError, TypeError) as error:
            raise ExecutorError(f"submitit refuses a parameter: {error}") from None
        return executor


@final
class LocalLauncher:
    """Runs jobs on this machine as submitit would on a cluster: to try things out, and for tests.

    Parameters
    ----------
    parameters
        As submitit's LocalExecutor takes them.
    python
        The interpreter's command; None: this one.
    """

    def __init__(self, parameters: Mapping[str, Any], python: str | None) -> None:
        submitit()
        self._parameters = dict(parameters)
        self._python = python
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def place(self) -> str:
        """This machine."""
        return "local"

    @property
    def shared(self) -> bool:
        """Jobs run on this machine."""
        return False

    def submit(self, run: Path, title: str) -> str:
        """Start a controller, which starts the agents."""
        executor = submitit().LocalExecutor(folder=run / _FOLDER, python=self._python)
        executor.update_parameters(**self._parameters)
        with _without_interrupts():
            job = executor.submit(launched, str(run))
        number = str(job.job_id)
        self._processes[number] = job._process
        return number

    def standings(self, numbers: Collection[str]) -> Mapping[str, Standing]:
        """Look which controllers live."""
        return {number: self._standing(number) for number in numbers}

    def cancel(self, number: str) -> None:
        """Tell a controller to end its agents."""
        process = self._processes.get(number)
        if process is not None:
            process.terminate()
        elif _is_controller(number):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(number), signal.SIGTERM)

    def close(self) -> None:
        """Wait for controllers whose jobs have ended."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def _standing(self, number: str) -> Standing:
        process = self._processes.get(number)
        if process is None:
            if _is_controller(number):
                return Standing()
            return Standing(State.INTERRUPTED, "its process is gone", lost=True)
        if process.poll() is None:
            return Standing()
        return Standing(State.CRASHED, "its process ended before the function returned")


def _output(*command: str) -> str | None:
    """Return what a command of Slurm's prints; None if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _is_controller(number: str) -> bool:
    """Whether a process of this number lives and is a controller of submitit's."""
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes()
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    # One that has just been started has no words yet.
    return (not words or b"submitit" in words) and state not in "ZX"


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let what starts inside ignore Ctrl-C, as jobs on other machines do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
