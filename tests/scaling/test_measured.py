"""Where a sweep at the target would find the best value."""

import numpy as np
import pytest

from maquette.scaling import fit
from maquette.scaling.measured import steps
from maquette.scaling.runs import read_table

LRS = np.exp(np.arange(-9.0, -4.0, 0.35))


def on_a_grid(noise, seed=0, values=LRS):
    rng = np.random.default_rng(seed)
    lr, scale = (m.ravel() for m in np.meshgrid(values, [1e6, 2e6, 4e6, 8e6]))
    excess = 0.02 * (np.log(lr) + 6.6) ** 2
    loss = (2 + (scale / 1e6) ** -0.3) * np.exp(excess + noise * rng.standard_normal(len(lr)))
    return {"lr": lr, "N": scale, "loss": loss}


def width(table):
    low, high = fit(table, ["lr"], ["N"], "loss").recipe(N=1.6e7).interval["lr"]
    return np.log(high / low)


def test_the_step_is_the_grids_and_random_values_have_none():
    assert steps(read_table(on_a_grid(1e-3), ["lr"], ["N"], "loss")) == pytest.approx(
        0.35, abs=1e-6
    )
    rng = np.random.default_rng(1)
    table = on_a_grid(1e-3)
    table["lr"] = np.exp(rng.uniform(-9, -4, len(table["lr"])))
    assert steps(read_table(table, ["lr"], ["N"], "loss")) == 0.0


def test_values_written_with_fewer_digits_are_the_same_values():
    table = on_a_grid(1e-3)
    half = np.arange(len(table["lr"])) % 2 == 0
    table["lr"] = np.where(half, [float(f"{v:.3g}") for v in table["lr"]], table["lr"])
    assert steps(read_table(table, ["lr"], ["N"], "loss")) == pytest.approx(0.35, abs=0.01)


def test_an_interval_holds_what_a_sweep_there_finds():
    held = []
    for seed in range(3):
        table = on_a_grid(2e-3, seed)
        low, high = fit(table, ["lr"], ["N"], "loss").recipe(N=1.6e7).interval["lr"]
        rng = np.random.default_rng([seed, 1])
        for _ in range(100):
            grid = LRS * np.exp(rng.uniform(-0.175, 0.175))
            loss = 0.02 * (np.log(grid) + 6.6) ** 2 + 2e-3 * rng.standard_normal(len(grid))
            held.append(low <= grid[np.argmin(loss)] <= high)
    assert 0.8 <= np.mean(held) <= 0.99


def test_an_interval_is_as_wide_as_the_grid_is_coarse():
    fine, coarse = np.exp(np.arange(-9.0, -4.0, 0.1)), np.exp(np.arange(-9.0, -4.0, 0.7))
    assert width(on_a_grid(1e-4, values=fine)) < 0.25
    assert width(on_a_grid(1e-4, values=coarse)) > 0.5
