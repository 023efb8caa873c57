"""What the demo found, as data and as sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from maquette.demo.target import TargetRun
from maquette.number import json_ready
from maquette.scaling.recipe import Recipe


@final
@dataclass(frozen=True, slots=True)
class DemoResult:
    """The demo's outcome; every figure in it was measured in this very run.

    Attributes
    ----------
    design
        ``quick`` or ``full``.
    recipe
        The settings, the loss and the verdict predicted from the proxies.
    with_recipe, copied
        The target trained with the recipe; and with the smallest proxy's best settings copied
        unchanged under standard parametrization.
    counts
        Proxy trials by state.
    seconds
        Wall clock of this call and, apart, of the proxies' search.
    untested
        What this demo did not test.
    answers
        The four answers, in sentences.
    report, results
        Where the report and the figures lie.
    """

    design: str
    seed: int
    text: str
    recipe: Recipe
    with_recipe: TargetRun
    copied: TargetRun
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    untested: tuple[str, ...]
    answers: tuple[str, ...]
    report: Path
    results: Path

    @property
    def gain(self) -> float:
        """By how much the copied settings are worse, relative to the recipe's loss."""
        return self.copied.loss / self.with_recipe.loss - 1

    @property
    def inside(self) -> bool:
        """Whether the measured loss lies in the interval that was predicted."""
        loss = self.recipe.loss
        return loss.low <= self.with_recipe.loss <= loss.high

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            "design": self.design,
            "seed": self.seed,
            "text": self.text,
            "recipe": self.recipe.to_json(),
            "target": {
                "recipe": json_ready(self.with_recipe.loss),
                "copied": json_ready(self.copied.loss),
                "gain": json_ready(self.gain),
                "inside": self.inside,
            },
            "runs": [self.with_recipe.to_json(), self.copied.to_json()],
            "trials": dict(self.counts),
            "seconds": dict(self.seconds),
            "untested": list(self.untested),
            "answers": list(self.answers),
            "report": str(self.report),
        }

    def __str__(self) -> str:
        """The answers, the check at the target, and where the report lies."""
        return "\n\n".join(
            [*self.answers, *self.check(), f"Report: {self.report}\nFigures: {self.results}"]
        )

    def check(self) -> list[str]:
        """Say how the prediction compares with what was measured at the target."""
        loss, run = self.recipe.loss, self.with_recipe
        where = " ".join(f"{k} {v:g}" for k, v in self.recipe.at.items())
        lines = []
        if math.isnan(run.loss):
            lines.append(f"At the target ({where}) the recipe {run.state.value}: it is wrong.")
        else:
            side = "inside" if self.inside else "outside"
            lines.append(
                f"Checked at the target ({where}): the recipe reached {run.loss:.4f}; "
                f"{loss.mean:.4f} was predicted (90 %: {loss.low:.4f} to {loss.high:.4f}), "
                f"so it landed {side} the interval."
            )
        lines.append(self._copied())
        if self.untested:
            lines.append(f"Not tested by this demo: {', '.join(self.untested)}.")
        return lines

    def _copied(self) -> str:
        what = "The smallest proxy's best settings, copied unchanged (standard parametrization),"
        if math.isnan(self.copied.loss):
            return f"{what} {self.copied.state.value}."
        if math.isnan(self.with_recipe.loss):
            return f"{what} reached {self.copied.loss:.4f}."
        worse = "worse" if self.gain > 0 else "better"
        return f"{what} reached {self.copied.loss:.4f}: {100 * abs(self.gain):.2f} % {worse}."
