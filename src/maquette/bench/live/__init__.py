"""Tasks that train a real network on this machine; they need PyTorch.

``char_transformer`` is the folder ``examples/char_transformer`` of the repository: one source, read
as an example and run by ``maquette demo``.
"""
