"""A program as the function of a study: fills its command, runs it, reads its results."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from maquette.errors import ProgramError
from maquette.executor.exits import in_words
from maquette.executor.gpus import VISIBLE, take_slot
from maquette.executor.oom import oom_kills
from maquette.executor.script import is_follower, serving, to_message
from maquette.executor.shared import DriverSide, new_run
from maquette.masking import without_secrets
from maquette.sweep.process import GRACE_SECONDS, Process, terminable
from maquette.sweep.results import Form, Measurement, Metrics, Reader, read_file, stamp
from maquette.sweep.stream import Stream
from maquette.sweep.template import fill, fill_all, fill_words, used, written
from maquette.trial import Trial

CONFIG = "config"
CONFIG_FILE = "config.json"
# Names that placeholders have beside parameters, axes and durations.
OWN_NAMES = ("trial", "seed", "folder", CONFIG, "first_step", "instance")

# Of the first measurements every one is reported, then one each time the step has grown by 1 %: a
# program that prints a million of them leaves about a thousand.
_ALL_OF_FIRST = 100
_GROWTH = 1.01

_PLAIN = re.compile(r"[\w@%+=:,./{}-]+")


@final
@dataclass(frozen=True, slots=True)
class Program:
    """Runs a command line for a trial; ``program(trial)`` returns metrics.

    Parameters
    ----------
    words
        The command, with placeholders.
    form
        How its results are read.
    environment
        Variables for it, with placeholders.
    cost
        The metric that is a run's cost; None: seconds.
    gpus, devices
        How many GPUs a program gets, and the names of those to share out (empty: none).
    grace
        Seconds between SIGTERM and SIGKILL when it is stopped.
    """

    words: tuple[str, ...]
    form: Form = field(default_factory=Form)
    environment: Mapping[str, str] = field(default_factory=dict)
    cost: str | None = None
    gpus: int = 0
    devices: tuple[str, ...] = ()
    grace: float = GRACE_SECONDS

    def __call__(self, trial: Trial) -> Metrics | None:
        """Run the program; return its metrics, or None if it was told to stop.

        Raises
        ------
        ProgramError
            If it cannot be started, fails, or gives no result; with MemoryError as its cause if
            it ran out of memory.
        """
        values = self._values(trial)
        file = None if self.form.kind != "file" else Path(fill(self.form.file, values) or "")
        before = None if file is None else stamp(file)
        run = _Run(self, trial)
        with ExitStack() as stack:
            environment = serving(run.serve(), self._environment(values))
            held: list[int] = []
            if self.gpus and self.devices:
                slot = take_slot(self.devices, self.gpus)
                stack.callback(slot.close)
                environment[VISIBLE] = slot.devices
                held += slot.descriptors
            words = fill_words(self.words, values)
            process = Process(words, environment, held, self.grace)
            stack.callback(process.close)
            stack.enter_context(terminable(process))
            code = run.listen(process)
        if run.stopped:
            return None
        run.judge(code)
        if is_follower() or (run.obeyed and (file is None or stamp(file) == before)):
            return None
        return run.result() if file is None else read_file(file, self.form, before)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; `from_json` reads it back."""
        return asdict(self)

    def program_description(self) -> dict[str, Any]:
        """Return what decides its results, without secrets; a study that goes on compares it.

        Where it runs is no part of it: GPUs, and the time that it gets to end itself.
        """
        hidden = {
            name: without_secrets(f"{name}={text}").partition("=")[2]
            for name, text in self.environment.items()
        }
        form = {**asdict(self.form), "step": list(self.form.step)}
        result = {name: value for name, value in form.items() if value}
        command = {"trial.command": without_secrets(" ".join(map(_quoted, self.words)))}
        return {**command, "trial.env": hidden, "trial.result": result, "objective.cost": self.cost}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Program:
        """Read what `to_json` wrote, or what JSON made of it."""
        form = Form(**{**data["form"], "step": tuple(data["form"]["step"])})
        lists = {name: tuple(data[name]) for name in ("words", "devices")}
        return cls(**{**data, "form": form, **lists})

    def _values(self, trial: Trial) -> dict[str, str]:
        """Return what stands for each placeholder; write the config file if it is asked for."""
        sizes = {**trial.scale, **trial.until}
        whole = {name: int(v) if float(v).is_integer() else v for name, v in sizes.items()}
        document = {
            **trial.config,
            **whole,
            "trial": trial.number,
            "seed": trial.seed,
            "first_step": trial.first_step,
            "folder": str(trial.folder),
        }
        if trial.instance is not None:
            document["instance"] = trial.instance
        values = {
            name: written(value, whole=name not in trial.config) for name, value in document.items()
        }
        path = trial.folder / CONFIG_FILE
        values[CONFIG] = str(path)
        if CONFIG in used([*self.words, *self.environment.values()]):
            draft = path.with_suffix(".draft")
            draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            os.replace(draft, path)
        return values

    def _environment(self, values: Mapping[str, str]) -> dict[str, str]:
        # Python would hold back what it prints into a pipe, and learning curves would come late.
        return {**os.environ, "PYTHONUNBUFFERED": "1", **fill_all(self.environment, values)}


@final
class _Run:
    """One run of a program: what it printed, and what was reported of it."""

    def __init__(self, program: Program, trial: Trial) -> None:
        self._program, self._trial = program, trial
        self._reader = Reader(program.form)
        self._streams = (Stream(), Stream())
        self._reported = 0
        self._last = float("-inf")
        self._killed_before = oom_kills()
        self._process: Process | None = None
        self._side: DriverSide | None = None
        self._told = False
        self.stopped = False

    @property
    def obeyed(self) -> bool:
        """Whether the program was told to stop, did, and has given no result of its own."""
        return self._told and not self._reader.count

    def serve(self) -> Path:
        """Make the folder through which a program may speak with `mq.current_trial()`."""
        folder = new_run(self._trial.folder, self._trial.job, 0)
        self._side = DriverSide(folder)
        self._side.brief(to_message(self._trial, self._trial.folder))
        return folder

    def listen(self, process: Process) -> int:
        """Take what the process prints until it ends; return its exit code."""
        self._process = process
        code = process.listen(self._hear, self._look)
        for stream, is_error in zip(self._streams, (False, True), strict=True):
            self._read(stream.end(), is_error)
        return code

    def judge(self, code: int) -> None:
        """Raise what an exit code other than 0 means."""
        if code == 0:
            return
        out, err = self._streams
        tail = err.tail() or out.tail()
        said = f"\n{tail}" if tail else "; it printed nothing"
        if out.out_of_memory or err.out_of_memory:
            raise ProgramError(f"the program ran out of memory{said}") from MemoryError()
        if code != -signal.SIGKILL:
            how = in_words(code) if code > 0 else f"killed by {in_words(code)}"
            raise ProgramError(f"the program failed: {how}{said}")
        after = oom_kills()
        if after is not None and after > (self._killed_before or 0):
            text = f"killed by the kernel: this memory cgroup ran out of memory{said}"
            raise ProgramError(text) from MemoryError()
        text = f"the program was killed by the system (SIGKILL); most likely out of memory{said}"
        raise ProgramError(text)

    def result(self) -> Metrics:
        """Return the metrics that the program printed."""
        if self._reader.count > 1:
            text = f"maquette: {self._reader.count} results were printed; the last one counts"
            print(text, file=sys.stderr)
        return self._reader.result()

    def _hear(self, data: bytes, is_error: bool) -> None:
        _write(2 if is_error else 1, data)
        self._read(self._streams[is_error].take(data), is_error)

    def _read(self, lines: list[str], is_error: bool) -> None:
        for line in lines:
            measured = self._reader.take(line, is_error=is_error)
            if measured is not None and not self.stopped and self._is_due(measured):
                self._report(measured)

    def _look(self) -> None:
        """Hand on what the program reports through its folder; it hears the decision."""
        if self._side is None:
            return
        for report in self._side.reports():
            self._last = math.inf  # what it prints at its steps is no report any more
            self._reader.note(report.metrics)
            decision = self._trial.report(report.step, cost=report.cost, **_named(report.metrics))
            self._side.answer(decision)
            self._told = self._told or not decision

    def _is_due(self, measured: Measurement) -> bool:
        if measured.step <= self._last:
            return False  # every rank may print the same line
        return self._reported < _ALL_OF_FIRST or measured.step >= self._last * _GROWTH

    def _report(self, measured: Measurement) -> None:
        self._reported += 1
        self._last = measured.step
        metrics = dict(measured.metrics)
        cost = metrics.get(self._program.cost or "")
        decision = self._trial.report(measured.step, cost=cost, **_named(metrics))
        if not decision and self._process is not None:
            self.stopped = True
            self._process.end()


def _quoted(word: str) -> str:
    """Quote a word as a shell needs it, and as people write placeholders."""
    return word if _PLAIN.fullmatch(word) else shlex.quote(word)


def _named(metrics: Mapping[str, float]) -> dict[str, float]:
    """Leave out what `Trial.report` takes for its own arguments."""
    return {name: v for name, v in metrics.items() if name not in ("self", "step", "cost")}


def _write(descriptor: int, data: bytes) -> None:
    """Hand on what the program printed; a log that nobody keeps any more stops no run."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return
