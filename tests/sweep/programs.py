"""Run small programs as trials, in this process or under the process executor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maquette.executor import Outcome, Task
from maquette.executor.job import run_job
from maquette.fidelity import Fidelity
from maquette.objective import Objective
from maquette.sweep import Program
from maquette.trial import Decision, Report


def python(code: str, *words: str, **options: Any) -> Program:
    """Return a program that runs Python code; braces in the code stand for themselves."""
    doubled = code.replace("{", "{{").replace("}", "}}")
    return Program((sys.executable, "-c", doubled, *words), **{"grace": 0.3, **options})


def task(folder: Path, number: int = 0, **config: Any) -> Task:
    return Task(
        trial=number,
        job=number,
        config=config or {"lr": 0.1},
        fidelity=Fidelity({"steps": 9.0}, {"width": 64.0}),
        objective=Objective(minimize="loss"),
        seed=7,
        folder=folder / f"{number:06d}",
    )


def outcome(
    program: Program,
    folder: Path,
    decide: Callable[[Report], Decision] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run a program as a job in this process."""
    return run_job(program, task(folder, **(config or {})), decide or (lambda report: Decision()))
