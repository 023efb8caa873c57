"""Every executor keeps the contract."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from maquette.executor import Process, Slurm, open_executor
from maquette.testing.executors import EXECUTOR_CHECKS
from tests.services import needs

EXECUTORS = {
    "inline": lambda fn: open_executor("inline", fn),
    "process": lambda fn: open_executor(Process(grace=1.0), fn, 2),
}


@pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", EXECUTORS)
def test_contract(name, check, tmp_path):
    check(EXECUTORS[name], tmp_path)


# A new interpreter for each job takes a while: only what differs from forking.
@pytest.mark.parametrize(
    "check",
    [
        c
        for c in EXECUTOR_CHECKS
        if c.__name__
        in ("check_done", "check_told", "check_reports", "check_timeout", "check_cancel")
    ],
    ids=lambda c: c.__name__,
)
def test_contract_of_fresh_interpreters(check, tmp_path):
    check(lambda fn: open_executor(Process(fresh=True, grace=1.0), fn, 2), tmp_path)


# Several interpreters a job: the checks that run many jobs take their time.
_LONG = ("check_decisions", "check_diverged", "check_failures", "check_slots")


@needs("submitit")
@pytest.mark.parametrize(
    "check",
    [
        pytest.param(c, marks=pytest.mark.slow if c.__name__ in _LONG else ())
        for c in EXECUTOR_CHECKS
    ],
    ids=lambda c: c.__name__,
)
def test_contract_of_batch_systems(check, tmp_path):
    check(lambda fn: open_executor(Slurm(cluster="local", grace=1.0), fn, 2), tmp_path)


# Slurm takes seconds to start a job and to end one: what differs from its stand-in.
_TELLING = ("check_done", "check_told", "check_decisions", "check_timeout", "check_cancel")


@needs("slurm", "submitit")
@pytest.mark.slow
@pytest.mark.parametrize("check", [c for c in EXECUTOR_CHECKS if c.__name__ in _TELLING])
def test_contract_on_a_cluster(check):
    with tempfile.TemporaryDirectory(dir=os.environ["MAQUETTE_TEST_SLURM"]) as folder:
        check(lambda fn: open_executor(Slurm(time="5m", cpus=1, grace=1.0), fn, 2), Path(folder))
