"""Recipes in the form that the next tool reads: ``--format``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maquette.cli.output import emit, note
from maquette.cli.values import one_of

if TYPE_CHECKING:
    from maquette.scaling import PriorRecipe, Recipe


class RecipeFormat(StrEnum):
    """What a recipe's settings are written as."""

    TOML = "toml"
    JSON = "json"
    ARGS = "args"
    PYTHON = "python"
    HF = "hf"
    TORCH = "torch"
    MEGATRON = "megatron"
    TORCHTITAN = "torchtitan"


Form = Annotated[
    RecipeFormat | None,
    typer.Option(
        "--format",
        metavar="|".join(RecipeFormat),
        parser=one_of(RecipeFormat),
        help="Print the settings alone, to paste: hf is transformers' TrainingArguments, torch an "
        "optimizer, megatron and torchtitan those trainers' own. What is known of them goes to "
        "stderr.",
        show_default=False,
    ),
]


def show(
    recipe: Recipe | PriorRecipe,
    document: dict[str, Any],
    form: RecipeFormat | None,
    as_json: bool,
) -> None:
    """Print a recipe: a JSON document, sentences, or its settings in a form."""
    if form is None or as_json:
        emit(document, str(recipe), as_json)
        return
    note(str(recipe))
    print(recipe.written(form.value))
