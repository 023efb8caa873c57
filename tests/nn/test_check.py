"""The check names planted faults, and the power by which they are off, and is else silent."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from maquette.bench.live.char_transformer.model import build
from maquette.bench.live.planted import FAULTY, HEALTHY, VOCABULARY, Case, Kind
from maquette.errors import PlanError
from maquette.nn import check
from maquette.nn.checks.gate import drift_faults
from maquette.nn.checks.sharpness import sharpness
from maquette.nn.checks.sweep import sweep
from maquette.report.slopes import svg
from tests.nn import architectures as some

SMALL = {"widths": (32, 64), "seeds": 2, "steps": 2}


@pytest.mark.parametrize("name", FAULTY)
def test_a_planted_fault_is_named_first(name):
    case = FAULTY[name]
    found = check(case.build, **SMALL, **case.options)
    first = found.faults[0]
    assert found.verdict.level == "do-not-trust"
    assert not found.ok
    assert first.code == case.code
    assert case.where in first.where
    assert not first.follows
    assert str(found).count(first.fix)


@pytest.mark.parametrize("name", ["plain", "tied, own module"])
def test_a_healthy_model_is_trusted(name):
    case = HEALTHY[name]
    found = check(case.build, **SMALL, **case.options)
    assert found.faults == ()
    assert found.verdict.level == "trust"
    assert max(abs(s.exponent) for s in found.of("update").values()) < 0.4


def test_the_missing_power_is_the_one_that_was_left_out():
    case = FAULTY["readout's multiplier forgotten"]
    (first,) = check(case.build, **SMALL, **case.options).faults
    assert first.power == 1
    assert first.exponent == pytest.approx(1, abs=0.35)


def test_what_follows_from_a_fault_stands_behind_it():
    case = FAULTY["norm that depends on the width"]
    found = check(case.build, **SMALL, **case.options)
    causes = [f for f in found.faults if not f.follows]
    assert all("norm" in f.where and f.power == -0.5 for f in causes)
    assert found.faults[: len(causes)] == tuple(causes)
    assert len(found.faults) > len(causes)


def test_depth_is_seen_where_branches_are_not_scaled():
    sizes = {"widths": (32, 64), "depths": (2, 4), "seeds": 1, "steps": 2}
    build = Case(Kind()).build
    sound = check(build, **sizes)
    assert sound.ok, str(sound)
    codes = {f.code for f in check(build, rule="sp", **sizes).faults}
    assert "depth" in codes
    assert "update" in codes


@pytest.mark.parametrize(
    "build",
    [
        some.Perceptron,
        some.Convolutions,
        lambda width: some.Experts(width, 1),
    ],
    ids=["perceptron", "convolutions", "experts"],
)
def test_inputs_are_made_up_for_models_of_many_kinds(build):
    found = check(build, **SMALL)
    assert found.made
    assert len(found.of("update")) >= 4
    assert all(math.isfinite(s.error) for s in found.slopes)


def test_data_may_be_given_in_several_forms():
    x = torch.randn(16, 12, generator=torch.Generator().manual_seed(0))
    y = torch.randint(3, (16,), generator=torch.Generator().manual_seed(1))
    forms = [
        check(some.Perceptron, batch=(x, y), **SMALL),
        check(some.Perceptron, batch=lambda seed: (x, y), **SMALL),
        check(
            some.Perceptron,
            batch={"x": x},
            loss=lambda m, b: nn.functional.cross_entropy(m(**b), y),
            **SMALL,
        ),
    ]
    assert not forms[0].made
    slopes = [{n: s.exponent for n, s in f.of("update").items()} for f in forms]
    assert slopes[0] == slopes[1] == pytest.approx(slopes[2])


def test_a_check_is_repeatable_and_leaves_random_numbers_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = check(some.Perceptron, **SMALL)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert check(some.Perceptron, **SMALL).slopes == first.slopes


class Lazy(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(width), nn.ReLU(), nn.Linear(width, 3))


class Shapeless(nn.Module):
    """What comes out depends on values."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(12, width), nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.enter(x)
        return self.leave(h[h.sum(-1) > 1e9].mean(0)).sum() / 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda: (lambda width: nn.Linear(4, 4),), "build ignores it"),
        (lambda: (Lazy,), "lazy"),
        (lambda: (lambda width: some.Perceptron(width).requires_grad_(False),), "to train"),
        (lambda: (Shapeless,), "loss of the untrained model is nan"),
        (lambda: (some.Raw,), "cannot be guessed"),
        (lambda: (some.Perceptron, (64,)), "two or more"),
        (lambda: (some.Perceptron, (0, 64)), "not a positive whole number"),
        (lambda: (some.Perceptron, (32, 64), (2, 4)), "no parameter 'depth'"),
        (lambda: (some.Perceptron, (32, 64), (), torch.optim.LBFGS), "closure"),
        (lambda: (some.Perceptron, (32, 64), (), "adamv"), "Did you mean"),
        (lambda: (some.Perceptron, (32, 64), (), torch.optim.RMSprop), "function of the model"),
        (
            lambda: (
                some.Perceptron,
                (32, 64),
                (),
                torch.optim.AdamW(nn.Linear(2, 2).parameters()),
            ),
            "instance",
        ),
        (lambda: (some.Perceptron, (32, 64), (), lambda m: None), "returned NoneType"),
        (
            lambda: (some.Perceptron, (32, 64), (), "adamw", torch.randn(4, 5)),
            "one pass over the batch failed",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused_with_the_way_out(arguments, message):
    with pytest.raises(PlanError, match=message) as raised:
        check(*arguments(), seeds=1, steps=1)
    assert raised.value.hint or "nearest" not in message


def test_all_problems_are_reported_at_once():
    with pytest.raises(PlanError) as raised:
        check(some.Perceptron, (64,), steps=0, lr=-1.0, sedes=3)
    assert len(raised.value.problems) == 4
    assert "seeds" in str(raised.value)


def test_matrix_optimizers_are_not_scaled_twice():
    """Muon's updates keep their spectral norm; under Adam's rates they would fall."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    found = check(Case(Kind()).build, optimizer="muon", **SMALL)
    norms = {n: s for n, s in found.of("spectral").items() if "blocks" in n and "weight" in n}
    assert norms
    assert all(abs(s.exponent) < 0.4 for s in norms.values()), str(found)


def bowl(drift):
    """Final loss of a made-up run: the best rate is 2^-6 at width 32, and drifts."""

    def run(width, rate, seed):
        best = -6 + drift * math.log2(width / 32) + 0.1 * (-1) ** seed
        away = math.log2(rate) - best
        return math.nan if away > 2.5 else 2.0 + 0.03 * away**2

    return run


@pytest.mark.parametrize(
    ("drift", "verdict"), [(0, "trust"), (-0.2, "shade"), (-1, "do-not-trust")]
)
def test_the_second_gate_measures_drift_and_regret(drift, verdict):
    rates = [2.0**k for k in range(-10, -2)]
    found = sweep("width", (32, 64, 128), rates, bowl(drift), seeds=2)
    assert found.drift == pytest.approx(drift, abs=0.02)
    assert found.regret == pytest.approx(0.03 * (2 * drift) ** 2 / 2, abs=0.02)
    assert found.bracketed
    assert found.verdict == verdict


def test_a_best_rate_at_the_edge_of_the_grid_is_said_to_be_there():
    found = sweep("width", (32, 64), [2.0**k for k in range(-10, -7)], bowl(0))
    assert not found.bracketed
    assert found.verdict != "trust"
    assert "edge" in str(found)


def test_the_second_gate_trains_along_both_axes():
    sizes = {
        "widths": (16, 32),
        "depths": (1, 2),
        "seeds": 1,
        "steps": 1,
        "lr": 2.0**-7,
        "sweep": 6,
    }
    found = check(build, **sizes)
    of_width, of_depth = found.sweeps
    assert (set(of_width.losses), set(of_depth.losses)) == ({16.0, 32.0}, {1.0, 2.0})
    assert of_width.losses[16.0] == of_depth.losses[1.0]
    assert all(math.isfinite(y) for gate in found.sweeps for ys in gate.losses.values() for y in ys)
    assert [s["axis"] for s in found.to_json()["sweeps"]] == ["width", "depth"]
    assert "Sweep over depth" in str(found)
    assert "by depth" in svg(found.figure)
    with pytest.raises(PlanError, match="sets its own"):
        check(build, optimizer=lambda m: torch.optim.SGD(m.parameters(), 0.1), **sizes)


def test_a_drift_over_depth_is_a_fault_with_a_way_out():
    gate = sweep("depth", (2, 4, 8), [2.0**k for k in range(-10, -2)], bowl(-1), seeds=2)
    (fault,) = drift_faults((gate,))
    assert (fault.code, fault.axis) == ("lr-drift", "depth")
    assert "completep(0.5)" in fault.fix


def test_sharpness_is_the_largest_eigenvalue_in_the_optimizers_measure():
    w, h = torch.nn.Parameter(torch.tensor([1.0, -2.0])), torch.tensor([3.0, 0.5])
    loss = lambda: (h * w**2).sum() / 2  # noqa: E731
    assert sharpness(loss, [torch.optim.SGD([w], lr=0.1)], 20) == pytest.approx(0.3, rel=1e-3)
    adam = torch.optim.Adam([w], lr=0.1, eps=0.0)
    loss().backward()
    adam.step()
    before = w.detach().clone()
    # The second moment's root is |gradient| = (3, 1): 0.1 (3 / 3, 0.5 / 1).
    assert sharpness(loss, [adam], 30) == pytest.approx(0.1, rel=1e-3)
    assert torch.equal(w.detach(), before)
    assert math.isnan(sharpness(lambda: 0 * loss(), [adam], 2))


def test_sharpness_grows_with_the_width_where_rates_do_not_follow_it():
    found = {
        rule: check(build, widths=(32, 128), depths=(1,), seeds=1, rule=rule, sharpness=5)
        for rule in ("sp", "auto")
    }
    slopes = {rule: f.of("sharpness")["the loss"].exponent for rule, f in found.items()}
    assert slopes["sp"] > 0.5, slopes
    assert abs(slopes["auto"]) < 0.4, slopes
    assert "sharpness" in {f.code for f in found["sp"].faults}
    assert "sharpness" not in {f.code for f in found["auto"].faults}


def test_documents_and_figures_hold_what_was_found():
    found = check(some.Tied, **SMALL)
    document = found.to_json()
    assert {s["name"] for s in document["slopes"] if s["quantity"] == "update"} == set(
        found.of("update")
    )
    assert document["data"].startswith("2 made-up sequences")
    panel = found.figure["panels"][0]
    assert list(panel["lines"][0]["x"]) == [32.0, 64.0]
    assert VOCABULARY > 0
