"""The version, read by hatchling and by `maquette --version`."""

__version__ = "0.1.0.dev0"
