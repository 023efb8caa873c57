"""Asking a fitted model many times."""

import math

import pytest

from maquette.scaling import fit
from maquette.scaling import model as module


@pytest.fixture(scope="module")
def model():
    rows = [
        {"rate": r, "N": n, "loss": 2 + 5 / n**0.5 + 0.05 * math.log(r * (n / 100) ** 0.5) ** 2}
        for n in (100, 200, 400)
        for r in (0.25, 0.5, 1.0, 2.0)
    ]
    return fit(rows, settings=["rate"], scale=["N"], loss="loss")


def test_the_best_of_a_place_is_searched_once(model, monkeypatch):
    calls = []
    search = module.least_regret
    monkeypatch.setattr(module, "least_regret", lambda *a: calls.append(1) or search(*a))
    first = [model.regret({"rate": r}, N=801.0) for r in (0.1, 0.2, 0.4)]
    assert first == [model.regret({"rate": r}, N=801.0) for r in (0.1, 0.2, 0.4)]
    assert len(calls) == 1


def test_answers_do_not_depend_on_what_was_asked_before(model):
    before = model.recipe(N=900)
    for n in range(1000, 1000 + 2 * module.PLACES):
        model.predict({"rate": 0.3}, N=n)
    assert model.recipe(N=900) == before
    assert len(model._found) <= module.PLACES


def test_a_linear_setting_moves_by_an_amount_not_by_a_power():
    rows = [
        {"drop": d, "N": n, "loss": 2 + 5 / n**0.5 + (d - 0.3 + 0.1 * math.log10(n / 100)) ** 2}
        for n in (100, 200, 400)
        for d in (0.0, 0.1, 0.2, 0.3, 0.4)
    ]
    recipe = fit(rows, settings=["drop"], scale=["N"], loss="loss").recipe(N=800)
    assert recipe.linear == {"drop"}
    told = next(line for line in str(recipe).splitlines() if line.startswith("The best drop"))
    assert "N^" not in told
    assert told.endswith("with each tenfold N.")
    assert float(told.split()[5]) == pytest.approx(-0.1, abs=0.06)


def test_an_interval_stays_within_what_a_setting_can_be():
    rows = [
        {"drop": d, "N": n, "loss": 2 + 5 / n**0.5 + 1e-4 * (n * d * 7919 % 1)}
        for n in (100, 200, 400)
        for d in (0.0, 0.2, 0.4, 0.6)
    ]
    model = fit(rows, settings=["drop"], scale=["N"], loss="loss", bounds={"drop": (0.0, 0.9)})
    low, high = model.recipe(N=800).interval["drop"]
    assert 0.0 <= low <= high <= 0.9
