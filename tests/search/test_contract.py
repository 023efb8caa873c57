"""Every shipped searcher, one row each, held to the contract that the package ships."""

from __future__ import annotations

import pytest

from maquette.search import (
    CEM,
    CFO,
    CMAES,
    CQR,
    DE,
    GP,
    TPE,
    Auto,
    BlendSearch,
    Designed,
    Forest,
    Genetic,
    Grid,
    Random,
    Sobol,
)
from maquette.testing.problems import KNOWN
from maquette.testing.searchers import SEARCHER_CHECKS, check_improves

SEARCHERS = {
    "random": Random,
    "sobol": Sobol,
    "gp": GP,
    "grid": lambda: Grid(2),
    "tpe": TPE,
    "cmaes": CMAES,
    "cqr": lambda: CQR(candidates=50, trees=3),
    "designed": Designed,
    "forest": Forest,
    "de": DE,
    "genetic": Genetic,
    "cem": CEM,
    "cfo": CFO,
    "blendsearch": BlendSearch,
    "auto": Auto,
}


@pytest.mark.parametrize("check", SEARCHER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SEARCHERS)
def test_contract(name, check):
    check(SEARCHERS[name])


@pytest.mark.slow
@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
@pytest.mark.parametrize("name", ["gp", "tpe"])
def test_models_beat_random_search(name, known):
    check_improves(SEARCHERS[name], known)
