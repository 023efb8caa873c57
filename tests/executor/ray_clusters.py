"""Small Ray clusters on this machine, for tests; they end with their block."""

import contextlib
import logging

MB = 2**20
SMALL = {"object_store_memory": 80 * MB, "include_dashboard": False}


@contextlib.contextmanager
def cluster(cpus=4, **options):
    """A cluster with a head of so many CPUs."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**SMALL, "num_cpus": cpus, **options})
    try:
        yield made
    finally:
        made.shutdown()


@contextlib.contextmanager
def connected(made):
    """This process as a driver of the cluster."""
    import ray

    ray.init(address=made.address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield ray
    finally:
        ray.shutdown()
