"""Spaces that change, from the command line: widened, narrowed on request, listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

STUDY = """
import maquette as mq
study = mq.Study("s", {{"x": mq.Float({range})}}, lambda trial: trial["x"], searcher="random")
"""


@pytest.fixture
def narrowed(cli: Cli, tmp_path: Path) -> Cli:
    """A study of three trials in [0, 1] and three in [0.5, 1]."""
    (tmp_path / "s.py").write_text(STUDY.format(range="0.0, 1.0"))
    assert cli("run", "s.py", "--budget", "trials=3", "--seed", 3).code == 0
    (tmp_path / "s.py").write_text(STUDY.format(range="0.5000, 1.0000"))
    refused = cli("run", "s.py", "--budget", "trials=6", "--seed", 3)
    assert (refused.code, refused.out) == (2, "")
    assert "narrower than the stored one: x: range [0, 1] -> [0.5, 1]" in refused.err
    assert "maquette run --narrow" in refused.err
    assert len(cli("show", "s", "--json").json) == 3
    accepted = cli("run", "s.py", "--budget", "trials=6", "--seed", 3, "--narrow")
    assert accepted.code == 0, accepted.err
    return cli


def test_a_narrower_space_is_asked_for_and_old_trials_stay(narrowed: Cli) -> None:
    trials = narrowed("show", "s", "--json").json
    assert len(trials) == 6
    assert all(t["config"]["x"] >= 0.5 for t in trials[3:])
    assert any(t["config"]["x"] < 0.5 for t in trials[:3])
    # The same command again, with or without the option, changes nothing.
    before = narrowed("show", "s").out
    for more in ((), ("--narrow",)):
        assert narrowed("run", "s.py", "--budget", "trials=6", "--seed", 3, *more).code == 0
    assert narrowed("show", "s").out == before


def test_the_versions_of_a_space_are_listed(narrowed: Cli, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(STUDY.format(range="0.5, 20.0"))
    assert narrowed("run", "s.py", "--budget", "trials=7", "--seed", 3).code == 0
    lines = [line.strip() for line in narrowed("show", "s").out.splitlines()]
    listed = lines[lines.index("versions of the space") + 1 :]
    assert [line for line in listed if "from trial" in line] == [
        "1  from trial 0 on",
        "2  from trial 3 on",
        "3  from trial 6 on",
    ]
    assert listed[2] == "x: range [0, 1] -> [0.5, 1]"
    assert listed[-1] == "x: range [0.5, 1] -> [0.5, 20]"


def test_a_space_that_never_changed_has_no_versions(bowl: Cli) -> None:
    assert "versions" not in bowl("show", "bowl").out
