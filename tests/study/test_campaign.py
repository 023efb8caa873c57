"""A short fault campaign and a few interrupts: the scripts whose long runs are on record."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "faults"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc"),
]


def summary(script: str, *arguments: str, place: Path) -> dict[str, object]:
    command = [sys.executable, str(SCRIPTS / script), *arguments, "--out", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None,
    reason="mounts a small disk to fill, which needs root",
)
def test_no_finished_trial_is_lost_whatever_fails(tmp_path: Path) -> None:
    found = summary("campaign.py", "--store", "sqlite", "--faults", "8", place=tmp_path)
    assert found["wrong"] == []
    assert found["faults"] == 8


def test_an_interrupted_run_leaves_nothing_behind_and_resumes(tmp_path: Path) -> None:
    found = summary("interrupts.py", "--moments", "3", place=tmp_path)
    assert found["wrong"] == []
    assert found["moments"] == 3
