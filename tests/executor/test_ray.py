"""Ray: the contract of executors, on a small cluster of this machine."""

from __future__ import annotations

import pytest

from maquette.executor import Ray, open_executor
from maquette.testing.executors import EXECUTOR_CHECKS
from tests.executor.ray_clusters import cluster, connected
from tests.services import needs

pytestmark = [needs("ray"), pytest.mark.slow]


@pytest.fixture(scope="module")
def ray():
    with cluster(cpus=4) as made, connected(made) as module:
        yield module


@pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda c: c.__name__)
def test_contract(check, ray, tmp_path):
    check(lambda fn: open_executor(Ray(grace=1.0), fn, 2), tmp_path)
