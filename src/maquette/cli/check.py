"""``maquette check``: is a model's parametrization stable, and which tensor is not."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maquette.cli.options import AsJson
from maquette.cli.output import emit, note
from maquette.cli.values import counts, whole

if TYPE_CHECKING:
    from collections.abc import Callable

Optimizer = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="adamw, adam, sgd or muon, with groups made by the rule; or MODULE:FUNCTION, "
        "which takes the model and returns an optimizer with groups of its own.",
    ),
]
Batch = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:FUNCTION",
        help="A function of a number that returns (inputs, targets) or keyword arguments. "
        "Default: made up from the model's first layers.",
    ),
]


def check(
    build: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:BUILD",
            help="A function of the width, and of the depth where --depths are given, that "
            "returns a torch model; MODULE is a module or a file.",
        ),
    ],
    widths: Annotated[
        str, typer.Option(metavar="N,...", help="Widths to build at, two or more.")
    ] = "64,128,256",
    depths: Annotated[str | None, typer.Option(metavar="N,...", help="Depths to build at.")] = None,
    optimizer: Optimizer = "adamw",
    rule: Annotated[
        str, typer.Option(metavar="NAME|TABLE.toml", help="The parametrization to check.")
    ] = "auto",
    batch: Batch = None,
    sweep: Annotated[
        int,
        typer.Option(
            metavar="STEPS",
            parser=whole(0),
            help="Also sweep learning rates over widths, and depths where given, in runs of so "
            "many steps: it sees what slopes cannot, and takes minutes.",
        ),
    ] = 0,
    sharpness: Annotated[
        int,
        typer.Option(
            metavar="ITERATIONS",
            parser=whole(0),
            help="Also measure how sharply the loss bends along the optimizer's steps, by so many "
            "iterations (6 will do).",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of weights and data.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write a figure, .svg or .html.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train small models for a few steps and name each tensor that does not scale as it should.

    It exits with 1 where a fault is found.

    Example: maquette check model.py:build --widths 64,128,256 --depths 2,4
    """
    sizes = counts(widths, "--widths")
    levels = counts(depths, "--depths") if depths else []
    made = _named(build, "MODULE:BUILD")
    chosen: Any = _named(optimizer, "--optimizer") if ":" in optimizer else optimizer
    data = _named(batch, "--batch") if batch else None
    from maquette import nn

    found = nn.check(
        made, sizes, levels, chosen, data, rule, sweep=sweep, seed=seed, sharpness=sharpness
    )
    if output is not None:
        from maquette.report.slopes import write_figure

        note(f"figure: {write_figure(found.figure, str(found), output)}")
    emit(found.to_json(), str(found), as_json)
    if not found.ok:
        raise typer.Exit(1)


def _named(reference: str, option: str) -> Callable[..., Any]:
    """Return what ``package.module:name`` or ``file.py:name`` stands for."""
    from maquette.errors import PlanError, nearest

    module, colon, name = reference.rpartition(":")
    if not (module and colon and name):
        raise typer.BadParameter(
            f"{reference!r} is not MODULE:NAME, such as model.py:build", param_hint=option
        )
    loaded = _loaded(module, option)
    value: Any = loaded
    for part in name.split("."):
        if not hasattr(value, part):
            theirs = [n for n in vars(loaded) if not n.startswith("_")]
            raise PlanError(f"{module} has no {name!r}.{nearest(name, theirs)}")
        value = getattr(value, part)
    if not callable(value):
        raise PlanError(f"{reference} is {type(value).__name__}, not a function")
    return value  # type: ignore[no-any-return]


def _loaded(module: str, option: str) -> Any:
    from maquette.errors import MaquetteError, PlanError

    path = Path(module)
    try:
        if path.suffix == ".py":
            if not path.is_file():
                raise PlanError(f"there is no file {module!r}")
            # Beside the file stand the modules that it imports, as for `python file.py`.
            sys.path.insert(0, str(path.resolve().parent))
            spec = importlib.util.spec_from_file_location(f"check_{path.stem}", path)
            if spec is None or spec.loader is None:
                raise PlanError(f"{module} cannot be loaded as Python")
            loaded = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = loaded
            spec.loader.exec_module(loaded)
            return loaded
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(module)
    except MaquetteError:
        raise
    except (Exception, SystemExit) as error:
        raise PlanError(
            f"{module} cannot be imported: {type(error).__name__}: {error}",
            hint=f"{option} names a module that Python finds from here, or a file ending in .py",
        ) from error
