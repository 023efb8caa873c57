"""What is said far from the optimum, far from the runs, and of runs that do not belong together."""

import math

import numpy as np
import pytest

from maquette.scaling import fit
from maquette.scaling.mean import Layout
from maquette.scaling.prior import Sizes, prior
from maquette.scaling.runs import read_table

GRID = np.exp(np.arange(-9.0, -4.0, 0.35))


def table(values=GRID, noise=5e-4, seed=0, scales=(1e6, 2e6, 4e6, 8e6)):
    rng = np.random.default_rng(seed)
    lr, n = (m.ravel() for m in np.meshgrid(values, scales))
    excess = 0.02 * (np.log(lr) + 6.6) ** 2
    loss = (2 + (n / 1e6) ** -0.3) * np.exp(excess + noise * rng.standard_normal(len(lr)))
    return {"lr": lr, "N": n, "loss": loss}


@pytest.fixture(scope="module")
def healthy():
    return fit(table(), ["lr"], ["N"], "loss")


def test_a_healthy_table_has_no_such_finding(healthy):
    codes = {f.code for f in healthy.findings(N=1.6e7)}
    assert not codes & {"two populations", "nothing near the best"}


def test_runs_of_two_projects_are_never_trusted():
    mixed = table()
    other = np.arange(len(mixed["lr"])) % 2 == 0
    mixed["lr"] = np.where(other, 16 * mixed["lr"], mixed["lr"])
    verdict = fit(mixed, ["lr"], ["N"], "loss").recipe(N=1.6e7).verdict
    assert verdict.level != "trust"
    assert {"two populations", "unexplained"} & set(verdict.codes)


def test_a_hole_where_the_best_settings_should_be_is_said():
    lr = np.concatenate([GRID[:3], GRID[-3:]])
    verdict = fit(table(lr), ["lr"], ["N"], "loss").recipe(N=1.6e7).verdict
    assert verdict.level != "trust"
    assert "nothing near the best" in verdict.codes


def test_a_loss_is_less_sure_far_up_a_slope_of_another_shape():
    runs = table()
    away = np.abs(np.log(runs["lr"]) + 6.6)
    wave = 0.15 * np.sin(4 * away)  # of the excess: no valley of the model's has it
    runs["loss"] = runs["loss"] * np.exp(0.02 * away**2 * wave)
    model = fit(runs, ["lr"], ["N"], "loss")

    def width(lr):
        told = model.predict({"lr": lr}, N=8e6)
        return math.log(told.high / told.low)

    assert width(math.exp(-4.6)) > 3 * width(math.exp(-6.6))


def test_an_optimum_is_less_sure_the_farther_away(healthy):
    def width(n):
        found = healthy.optimum(N=n)["lr"]
        return math.log(found.high / found.low)

    # A straight law alone would widen in proportion to the distance.
    assert width(8e8) - width(8e6) > 2.5 * (width(8e7) - width(8e6))


def test_many_settings_pull_at_one_no_more_than_one_does():
    def pull(p):
        layout = Layout(p, 0, 0, 0)
        settings = read_table(table(), ["lr"], ["N"], "loss").numeric * p
        mean, sd = prior(layout, settings, 0.0, Sizes(), (np.zeros((0, p)), np.zeros((0, p))))
        parts, spread = layout.split(mean), layout.split(sd)
        sides = parts.t.sum() / p, np.sqrt((spread.t**2).sum() / p)
        return *sides, np.sqrt(2 * (spread.q**2).sum() / p)

    assert pull(8) == pytest.approx(pull(2))
