"""Searchers: which config to try next. One algorithm a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from maquette.errors import StudyError, nearest
from maquette.search.auto import Auto as Auto
from maquette.search.blendsearch import BlendSearch as BlendSearch
from maquette.search.cem import CEM as CEM
from maquette.search.cfo import CFO as CFO
from maquette.search.cmaes import CMAES as CMAES
from maquette.search.cqr import CQR as CQR
from maquette.search.de import DE as DE
from maquette.search.designed import Designed as Designed
from maquette.search.forest import Forest as Forest
from maquette.search.genetic import Genetic as Genetic
from maquette.search.gp import GP as GP
from maquette.search.grid import Grid as Grid
from maquette.search.portfolio import Portfolio as Portfolio
from maquette.search.protocol import Searcher as Searcher
from maquette.search.random import Random as Random
from maquette.search.sobol import Sobol as Sobol
from maquette.search.tpe import TPE as TPE

SEARCHERS: Mapping[str, Callable[[], Searcher]] = MappingProxyType(
    {
        "auto": Auto,
        "blendsearch": BlendSearch,
        "cem": CEM,
        "cfo": CFO,
        "cmaes": CMAES,
        "cqr": CQR,
        "de": DE,
        "designed": Designed,
        "forest": Forest,
        "genetic": Genetic,
        "gp": GP,
        "grid": Grid,
        "random": Random,
        "sobol": Sobol,
        "tpe": TPE,
    }
)


def by_name(searcher: str | Searcher) -> Searcher:
    """Return the searcher of a name, with its default settings; an object is returned as is.

    Raises
    ------
    StudyError
        If there is no searcher of that name.
    """
    if not isinstance(searcher, str):
        return searcher
    if searcher not in SEARCHERS:
        raise StudyError(
            f"unknown searcher {searcher!r}." + nearest(searcher, SEARCHERS),
            hint='for example searcher="auto", or searcher=mq.search.GP(...)',
        )
    return SEARCHERS[searcher]()
