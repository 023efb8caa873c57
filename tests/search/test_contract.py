"""Every shipped searcher, one row each, held to the contract that the package ships."""

from __future__ import annotations

import pytest

from maquette.search import GP, Auto, Random, Sobol
from maquette.testing.problems import KNOWN
from maquette.testing.searchers import SEARCHER_CHECKS, check_improves

SEARCHERS = {"random": Random, "sobol": Sobol, "gp": GP, "auto": Auto}


@pytest.mark.parametrize("check", SEARCHER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SEARCHERS)
def test_contract(name, check):
    check(SEARCHERS[name])


@pytest.mark.slow
@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_the_gaussian_process_beats_random_search(known):
    check_improves(GP, known)
