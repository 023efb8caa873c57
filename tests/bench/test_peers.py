"""Other tuners' processes: what they answer, and what becomes of them when they do not."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maquette as mq
from maquette.bench.peers import catalogue, environment
from maquette.bench.peers.client import (
    PeerError,
    PeerHungError,
    PeerProcess,
    PeerUnsupportedError,
    command,
)
from maquette.bench.peers.searcher import PeerScheduler, PeerSearcher
from maquette.errors import BenchmarkError
from maquette.simulate import End, simulate, stretch, virtual_store
from maquette.trial import Report
from tests.services import needs

SPACE = mq.Space(
    {
        "lr": mq.Float(1e-4, 1e-1, log=True),
        "layers": mq.Int(1, 8),
        "units": mq.Int(16, 512, log=True),
        "opt": mq.Choice(["adam", "sgd"]),
        "mom": mq.Float(0.5, 0.99, when={"opt": "sgd"}),
        "mode": mq.Choice([None, 1, True]),
    }
)


def of_peers(names: Iterable[str]) -> list[Any]:
    """Parameters, each of which needs its tuner installed."""
    return [pytest.param(n, marks=needs(f"peer {n.partition('/')[0]}")) for n in names]


METHODS = of_peers(name for peer in catalogue.PEERS.values() for name in peer.optimizers)


def loss(trial: Any) -> float:
    out = float((np.log10(trial["lr"]) + 2.5) ** 2 + (trial["layers"] - 3) ** 2 / 20)
    return out + (0.0 if trial["opt"] == "adam" else abs(trial["mom"] - 0.9))


def curve(trial: mq.Trial) -> Any:
    if trial["layers"] == 8:
        yield End(None, 3.0, state=mq.State.OOM)
        return
    whole = (Report(float(t), {"loss": loss(trial) + 1 / t}, None, float(t)) for t in range(1, 10))
    yield from stretch(whole, trial)


def run(process: PeerProcess, method: str, trials: int, space: mq.Space = SPACE) -> mq.Study:
    problem = {"seed": 1, "trials": trials, "workers": 2, "duration": [1, 9]}
    peer = PeerSearcher(process, method, problem, space)
    store = virtual_store()
    study = mq.Study(
        "peer", space, store=store, searcher=peer, scheduler=PeerScheduler(peer),
        fidelity={"epoch": (1, 9)},
    )  # fmt: skip
    simulate(study, curve, trials, workers=2)
    return study


def fake(tmp_path: Path, body: str) -> PeerProcess:
    """A peer whose answers a script gives: `answer(request)`."""
    script = tmp_path / "peer.py"
    script.write_text(
        "import json, os, sys, time\n"
        "no = False\n"
        "STARTED = dict(versions={'fake': '1'}, schedules=no, observes=no, recommends=no)\n"
        + textwrap.dedent(body)
        + "\nfor line in sys.stdin:\n"
        "    print(json.dumps(answer(json.loads(line))), flush=True)\n"
    )
    return PeerProcess("fake", [sys.executable, str(script)], patience=20.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_installed_peer_runs(name: str) -> None:
    """In a conditional, mixed space, with failures, two at a time."""
    first, _, method = name.partition("/")
    peer = catalogue.peer(first)
    with PeerProcess(name, command(peer)) as process:
        try:
            study = run(process, method, 8 if method in peer.slow else 30)
        except PeerUnsupportedError as why:
            assert "conditional" in str(why)  # noqa: PT017 - it says so, and that is right
            return
    done = study.history.counts()
    assert sum(done.values()) == (8 if method in peer.slow else 30)
    assert done.get("done", 0) > 0
    assert all(t.config == SPACE.normalise(t.config) for t in study.trials)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", of_peers(["optuna/tpe", "nevergrad/ngopt", "hyperopt/tpe", "smac/forest"])
)
def test_same_seed_same_proposals(name: str) -> None:
    first, _, method = name.partition("/")
    with PeerProcess(
        name, command(catalogue.peer(first))
    ) as process:  # the second study finds a process that was used
        a, b = ([t.config for t in run(process, method, 15).trials] for _ in range(2))
    assert a == b


class TestFaults:
    def test_a_crash_says_what_the_peer_said_last(self, tmp_path: Path) -> None:
        body = """
        def answer(request):
            if request["op"] == "start":
                return {"ok": STARTED}
            sys.stderr.write("ZeroDivisionError: the model has no rows\\n")
            sys.exit(7)
        """
        with fake(tmp_path, body) as process, pytest.raises(PeerError, match="no rows") as found:
            run(process, "any", 3)
        assert "exit code 7" in str(found.value)
        assert found.value.how == "crashed"

    def test_a_peer_that_is_killed_is_a_crash(self, tmp_path: Path) -> None:
        body = "def answer(request):\n    os.kill(os.getpid(), 9)\n"
        with fake(tmp_path, body) as process, pytest.raises(PeerError, match="exit code -9"):
            run(process, "any", 3)

    def test_a_hang_is_ended(self, tmp_path: Path) -> None:
        script = tmp_path / "peer.py"
        script.write_text("import time\ntime.sleep(600)\n")
        process = PeerProcess("fake", [sys.executable, str(script)], patience=0.3)
        with process, pytest.raises(PeerHungError, match=r"no answer to start within 0\.3 s"):
            run(process, "any", 3)

    def test_noise_on_stdout_is_no_answer(self, tmp_path: Path) -> None:
        script = tmp_path / "peer.py"
        script.write_text("import sys\nfor line in sys.stdin:\n    print('hello', flush=True)\n")
        process = PeerProcess("fake", [sys.executable, str(script)], patience=20.0)
        with process, pytest.raises(PeerError, match="not JSON"):
            run(process, "any", 3)

    def test_an_exception_in_the_peer_is_quoted(self, tmp_path: Path) -> None:
        body = "def answer(request):\n    return {'error': 'Traceback\\nValueError: bad prior'}\n"
        with fake(tmp_path, body) as process, pytest.raises(PeerError, match="bad prior"):
            run(process, "any", 3)

    def test_proposals_outside_the_constraints_are_refused_then_given_up(
        self, tmp_path: Path
    ) -> None:
        body = """
        seen = []
        def answer(request):
            seen.append(request["op"])
            if request["op"] == "start":
                return {"ok": STARTED}
            x = 0.9 if seen.count("ask") < 4 or seen.count("ask") > 6 else 0.1
            return {"ok": {"config": {"x": x}, "until": None} if request["op"] == "ask" else None}
        """
        space = mq.Space({"x": mq.Float(0, 1)}, constraints=["x <= 0.5"])
        with fake(tmp_path, body) as process:
            peer = PeerSearcher(process, "any", {"seed": 0}, space)
            study = mq.Study("s", space, store=virtual_store(), searcher=peer)
            with pytest.raises(PeerError, match="100 configs in a row"):
                simulate(study, lambda trial: [End(trial["x"], seconds=1.0)], 5)
        assert [t.config["x"] for t in study.trials] == [0.1, 0.1, 0.1]
        assert peer.refused == 103

    def test_a_foreign_trial_for_a_peer_that_cannot_take_it(self, tmp_path: Path) -> None:
        body = "def answer(request):\n    return {'ok': STARTED}\n"
        with fake(tmp_path, body) as process:
            peer = PeerSearcher(process, "any", {"seed": 0}, SPACE)
            study = mq.Study("s", SPACE, searcher=peer)
            study.tell(SPACE.defaults(), 0.5)
            with pytest.raises(PeerUnsupportedError, match="did not propose"):
                study.ask()


class TestEnvironments:
    def test_what_is_not_installed_says_how_to_install_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MAQUETTE_PEERS", str(tmp_path))
        with pytest.raises(BenchmarkError, match="maquette bench peers install optuna"):
            command(catalogue.peer("optuna"))

    def test_a_failed_installation_keeps_its_reason(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MAQUETTE_PEERS", str(tmp_path))
        missing = catalogue.Peer("missing", (str(tmp_path / "no-such.whl"),), {"any": ""})
        with pytest.raises(BenchmarkError, match="cannot be installed"):
            environment.install(missing)
        assert environment.read(missing)["state"] == "failed"
        with pytest.raises(BenchmarkError, match="its installation failed"):
            environment.python(missing)

    def test_unknown_peers_are_named_with_the_nearest(self) -> None:
        with pytest.raises(BenchmarkError, match="Did you mean 'optuna'"):
            catalogue.peer("optun")
