"""Adapters of other tuners: each module runs in its tuner's own process and environment.

Nothing here imports Maquette, which that environment does not hold: `maquette.bench.peers.client`
starts ``serve`` there and speaks with it in lines of JSON.
"""
