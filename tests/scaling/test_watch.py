"""A watch tells a run that is on course from one that is not, and why."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import maquette as mq
from maquette.errors import DataError
from maquette.scaling.watch import ADVICE, DATA, Curve

P = np.arange(1, 51) / 1000  # the first 5 %
TARGET = {"at": {"N": 1e9}, "loss": {"mean": 2.0, "interval": [1.98, 2.02]}}
HIGH, LOW = "learning rate too high", "learning rate too low"
# What a cause does to the log loss along the run.
BENDS = {
    "": 0 * P,
    HIGH: 0.2 * P / P[-1],
    LOW: 0.25 * np.exp(-P / 0.02),
    "data order broken": -0.25 * np.sqrt(P / P[-1]),
}


def curve(n, cause="", seed=0, strength=1.0):
    rng = np.random.default_rng((seed, int(n), len(cause)))
    log_loss = np.log(1.2 + 8 * n**-0.1 + 0.3 * P**-0.35) + strength * BENDS[cause]
    log_loss += 0.01 * rng.standard_normal() + 0.02 * rng.standard_normal(len(P))
    return Curve(tuple(P), tuple(np.exp(log_loss)), {"N": n}, cause)


def proxies():
    sound = [curve(n, seed=s) for n in (1e7, 3e7, 1e8) for s in range(4)]
    wrong = [curve(n, c, seed=9) for n in (1e7, 1e8) for c in BENDS if c]
    return [*sound, *wrong]


@pytest.fixture(scope="module")
def watch():
    return mq.Watch(TARGET, proxies())


def test_the_band_holds_what_comes(watch):
    _, low, high = watch.band(P)
    runs = [curve(1e9, seed=s).loss for s in range(30)]
    inside = np.mean([(low <= y) & (y <= high) for y in runs])
    assert 0.8 <= inside <= 0.99


def test_few_sound_runs_raise_an_alarm(watch):
    looks = [watch.look(P, curve(1e9, seed=s).loss) for s in range(40)]
    assert sum(not look.ok for look in looks) <= 2
    assert looks[0].state == "on course"
    assert looks[0].advice == ""


@pytest.mark.parametrize("cause", [c for c in BENDS if c])
@pytest.mark.parametrize("strength", [0.8, 1.3])
def test_a_planted_cause_is_named_with_what_to_do(watch, cause, strength):
    look = watch.look(P, curve(1e9, cause, seed=50, strength=strength).loss)
    assert not look.ok
    assert next(iter(look.causes)) == cause
    assert look.causes[cause] > 0.6
    assert sum(look.causes.values()) == pytest.approx(1)
    assert look.advice == ADVICE[cause]
    side = "below" if cause == "data order broken" else "above"
    assert look.state == f"{side} the band"
    assert f"{cause}, " in str(look)


def test_what_was_not_simulated_is_not_given_a_name(watch):
    y = np.array(curve(1e9, seed=3).loss) * np.exp(0.4 * np.sin(np.log(P / P[0])))
    look = watch.look(P, y)
    assert not look.ok
    assert next(iter(look.causes)) == "unknown"
    assert "not like any fault" in look.text


@pytest.mark.parametrize("sound", [0, 1, 2])
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda y: y / math.log(2), r"all along 1\.4\d? times"),
        (lambda y: 1.15 * y, r"all along 1\.1\d* times"),
        (lambda y: y + 1.0, r"or \+1\.?\d*"),
        (lambda y: y + 0.7, r"or \+0\.[678]\d*"),
    ],
)
def test_a_constant_is_another_dataset_or_loss_scale_and_no_learning_rate(
    watch, changed, said, sound
):
    look = watch.look(P, changed(np.array(curve(1e9, seed=sound).loss)))
    assert next(iter(look.causes)) == DATA
    assert look.causes[DATA] > 0.5
    assert look.advice == ADVICE[DATA]
    assert re.search(said, look.text)


def test_a_close_second_cause_is_named_too(watch):
    looks = [watch.look(P[:n], curve(1e9, LOW, seed=5, strength=1.3).loss[:n]) for n in (4, 8, 20)]
    for look in looks:
        if not look.ok:
            rivals = [c for c, p in list(look.causes.items())[1:2] if p >= 0.2]
            assert all(f"or {c}, " in look.text for c in rivals)
            assert (", or " in look.text) == bool(rivals)
    assert any(not look.ok for look in looks)


def test_a_run_is_followed_as_it_goes():
    watch = mq.Watch(TARGET, proxies())
    states = [watch(p, y).state for p, y in zip(P, curve(1e9, HIGH, seed=2).loss, strict=True)]
    assert states[0] == "on course"
    assert states[-1] == "above the band"


def test_a_divergence_is_an_alarm(watch):
    look = watch.look(P[:3], [3.0, 4.0, math.nan])
    assert not look.ok
    assert "diverged" in look.text


def test_without_faults_there_is_a_band_and_no_cause():
    watch = mq.Watch(TARGET, [curve(n, seed=s) for n in (1e7, 1e8) for s in range(3)])
    look = watch.look(P, curve(1e9, "data order broken", seed=1).loss)
    assert look.state == "below the band"
    assert set(look.causes) == {"unknown", DATA}


def test_proxies_of_one_size_give_a_band_too():
    watch = mq.Watch(TARGET, [curve(1e9, seed=s) for s in range(3)])
    assert watch.look(P, curve(1e9, seed=7).loss).ok


def test_what_is_malformed_is_named_all_at_once():
    bad = [
        Curve((0.1, 0.05), (1.0, 1.0), {"N": 1.0}),
        Curve((0.1,), (1.0, 1.0), {"N": 1.0}),
        Curve((0.1,), (-1.0,), {"N": 1.0}),
    ]
    with pytest.raises(DataError) as raised:
        mq.Watch(TARGET, bad)
    assert len(raised.value.problems) == 3
    with pytest.raises(DataError, match="two or more"):
        mq.Watch(TARGET, [curve(1e7)])
    with pytest.raises(DataError, match="one length"):
        mq.Watch(TARGET, proxies()).look([0.1], [])
