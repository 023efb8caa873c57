"""Where a comparison was made: what a reader needs to judge its figures."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from typing import Any

from maquette._version import __version__
from maquette.bench.compare.optimizers import Optimizer
from maquette.bench.peers import environment
from maquette.bench.peers.catalogue import peer


def describe(optimizers: Iterable[Optimizer]) -> dict[str, Any]:
    """Return versions of Python, Maquette, its dependencies and the peers, and the machine."""
    own = ("numpy", "scipy", "SQLAlchemy")
    names = sorted({o.peer for o in optimizers if o.peer})
    return {
        "maquette": __version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in own},
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
        },
        "peers": {name: environment.read(peer(name)).get("versions") for name in names},
    }
