"""Which parameters come again with every layer, told from the names at two depths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Layers:
    """Names of repeated parameters, with a star for the number of the layer.

    Parameters
    ----------
    patterns
        Such as ``blocks.*.mlp.0.weight``; other numbers in a name stay.
    """

    patterns: frozenset[str] = frozenset()

    def template(self, name: str) -> str:
        """Return the name that copies in other layers share; its own if there are none."""
        return next((p for p in _patterns(name) if p in self.patterns), name)

    def repeats(self, name: str) -> bool:
        """Whether the parameter comes again with every layer."""
        return self.template(name) != name


def layers(few: Iterable[str], many: Iterable[str]) -> Layers:
    """Compare the names of a shallow and a deep build.

    The number of the layer is the one that, replaced by another, leads from a name that only one
    build has to a name that both have: ``blocks.3.mlp.0`` to ``blocks.1.mlp.0``.
    """
    few, many = set(few), set(many)
    shared = {pattern for name in few & many for pattern in _patterns(name)}
    new = [list(_patterns(name)) for name in few ^ many]
    return Layers(frozenset(p for patterns in new for p in patterns if p in shared))


def _patterns(name: str) -> Iterator[str]:
    """Yield the name with each of its numbers replaced in turn."""
    parts = name.split(".")
    for i, part in enumerate(parts):
        if part.isdigit():
            yield ".".join([*parts[:i], "*", *parts[i + 1 :]])


def starred(name: str) -> str:
    """Return the name with every number replaced: what a table shows of many layers."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))
