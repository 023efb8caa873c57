"""Which table a plan uses: a name, a file or a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from maquette.errors import PlanError, ScaleError, nearest
from maquette.scaling.parametrization import ALIASES, OPTIMIZERS, WIDTHS, Table, read_table, table

_OWN_DEPTH = ("sp", "u-mup", "hyperp")


def chosen_table(rule: str | Path | Table, optimizer: str) -> Table:
    """Return the table that a plan follows.

    Parameters
    ----------
    rule
        A name, a path that ends in ``.toml``, or a table. A width rule that is named alone is
        completed by CompleteP for depth and Complete(d)P's rule for batch size and tokens.
    optimizer
        Its name.

    Raises
    ------
    PlanError
        There is no such table, or it is for another optimizer.
    """
    if optimizer not in OPTIMIZERS:
        raise PlanError(f"no rules for optimizer {optimizer!r}.{nearest(optimizer, OPTIMIZERS)}")
    if not isinstance(rule, str | Path | Table):
        raise PlanError(
            f"rule is a name, the path of a table in TOML, or a Table, not {rule!r}",
            hint='as in rule="auto", rule="mup+completep(0.5)", rule="own.toml"',
        )
    try:
        if isinstance(rule, Table):
            return _for(rule, optimizer)
        if isinstance(rule, Path) or rule.endswith(".toml"):
            return _for(read_table(_text(Path(rule))), optimizer)
        name = ALIASES.get(rule, rule)
        if name.split("(")[0] in WIDTHS and name not in _OWN_DEPTH and "+" not in name:
            name += "+completep+sde"
        return table(name, optimizer)
    except ScaleError as error:
        raise PlanError(str(error)) from error


def _for(found: Table, optimizer: str) -> Table:
    same = {found.optimizer, optimizer}
    if found.optimizer != optimizer and same != {"adam", "adamw"}:
        raise PlanError(
            f"the table {found.name!r} is for {found.optimizer}, the plan for {optimizer}",
            hint=f"pass optimizer={found.optimizer!r}, or another table",
        )
    return replace(found, optimizer=optimizer)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}") from error
