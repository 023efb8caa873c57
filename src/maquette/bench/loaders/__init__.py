"""Tasks from the published files of other benchmarks, which their users download themselves.

from maquette.bench.loaders import lcbench

tasks = lcbench.load("data_2k.json")     # name to Task
"""
