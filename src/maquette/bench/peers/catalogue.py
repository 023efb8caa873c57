"""The tuners that can be compared with, and how each is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import final

from maquette.errors import BenchmarkError, nearest


@final
@dataclass(frozen=True, slots=True)
class Peer:
    """Another tuner.

    Parameters
    ----------
    name
        By which it is chosen: ``"optuna"``.
    requirements
        What pip installs, with the versions that the adapter was tried with.
    methods
        Method to what it is, the recommended one first.
    alone
        Requirements to install without their own, which cannot be satisfied.
    module
        The adapter ``with_<module>``.
    slow
        Methods whose suggestion takes far longer than 50 ms.
    """

    name: str
    requirements: tuple[str, ...]
    methods: Mapping[str, str]
    alone: tuple[str, ...] = ()
    module: str = ""
    slow: frozenset[str] = field(default_factory=frozenset)

    @property
    def adapter(self) -> str:
        """The adapter's module, without ``with_``."""
        return self.module or self.name

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Its methods as optimizers: ``"optuna/tpe"``, ..."""
        return tuple(f"{self.name}/{method}" for method in self.methods)


_TORCH = "torch>=2.4"

_ALL = (
    Peer(
        "optuna",
        ("optuna==5.0.0", "cmaes>=0.13", "scipy>=1.11", _TORCH),
        {
            "tpe": "tree-structured Parzen estimator, multivariate",
            "gp": "Gaussian process, log expected improvement",
            "cma": "CMA-ES; choices and conditional parameters at random",
            "nsga2": "NSGA-II",
            "hyperband": "the Parzen estimator with Hyperband's pruner",
        },
        slow=frozenset({"gp"}),
    ),
    Peer(
        "nevergrad",
        ("nevergrad==1.0.12",),
        {"ngopt": "the wizard NGOpt", "cma": "CMA-ES", "de": "two-points differential evolution"},
    ),
    Peer("hyperopt", ("hyperopt==0.3.0",), {"tpe": "tree-structured Parzen estimator"}),
    Peer("dehb", ("dehb==0.1.2",), {"dehb": "differential evolution under Hyperband"}),
    Peer(
        "syne-tune",
        ("syne-tune[basic]==0.16.0",),
        {
            "kde": "the Parzen estimator of BOHB",
            "bore": "Bayesian optimisation by density-ratio estimation",
            "rea": "regularised evolution",
            "asha": "asynchronous halving over random search",
            "asha-bore": "asynchronous halving over BORE",
            "bohb": "asynchronous halving over the Parzen estimator",
        },
        module="syne_tune",
        slow=frozenset({"bore", "asha-bore"}),
    ),
    Peer(
        "flaml",
        ("flaml[blendsearch]==2.7.0",),
        {"blendsearch": "local searches within a global one", "cfo": "one local search"},
    ),
    Peer("ray", ("ray[tune]==2.60.0",), {"asha": "asynchronous halving over random search"}),
    Peer(
        "smac",
        ("smac==2.4.1",),
        {
            "forest": "random forest, log expected improvement",
            "gp": "Gaussian process, expected improvement",
        },
        slow=frozenset({"forest", "gp"}),
    ),
    Peer(
        "ax",
        (_TORCH, "ax-platform==1.3.1", "botorch==0.18.1"),
        {"default": "what its client chooses"},
        slow=frozenset({"default"}),
    ),
    Peer(
        "botorch",
        (_TORCH, "botorch==0.18.1"),
        {"logei": "Gaussian process, log noisy expected improvement"},
        slow=frozenset({"logei"}),
    ),
    Peer(
        "hebo",
        (_TORCH, "numpy<2", "pandas<3", "gpytorch", "pymoo", "disjoint-set", "scikit-learn"),
        {"hebo": "heteroscedastic evolutionary Bayesian optimisation"},
        alone=("HEBO==0.3.6",),
        slow=frozenset({"hebo"}),
    ),
)

PEERS: Mapping[str, Peer] = MappingProxyType({peer.name: peer for peer in _ALL})


def peer(name: str) -> Peer:
    """Return a peer by its name.

    Raises
    ------
    BenchmarkError
        If there is none of that name.
    """
    if name not in PEERS:
        raise BenchmarkError(f"unknown peer {name!r}." + nearest(name, PEERS))
    return PEERS[name]
