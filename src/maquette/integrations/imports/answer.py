"""What an import says: what came in, what did not, what to beware of, and what the runs teach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

from maquette.integrations.imports.write import Imported
from maquette.report.answers import answers
from maquette.report.boundary import held_back
from maquette.report.evidence import Evidence, finished_with_result, gather
from maquette.space import Choice
from maquette.space.parameter import Parameter, needs, show
from maquette.study.evidence import with_whole_numbers
from maquette.study.importance import LEAST, Importance
from maquette.trial import State

if TYPE_CHECKING:
    from maquette.scaling import Recipe

MOST = 5  # reasons shown
FAILING = 0.3  # share of runs from which failures are worth a word


@final
class Answer:
    """The answer to one import.

    Parameters
    ----------
    imported
        What became of the source.
    target
        The target of the recipe; axes left out stand at the scale's own.
    """

    def __init__(self, imported: Imported, target: dict[str, float]) -> None:
        self.imported = imported
        self.evidence: Evidence = gather(imported.study, at=target)
        self.importance: Importance | None = None
        if len(finished_with_result(imported.study.history)) >= LEAST:
            self.importance = imported.study.importance()
        found = self.evidence.recipe
        self.recipe: Recipe | None = None
        if found is not None:
            self.recipe = with_whole_numbers(found, imported.study.space)

    def warnings(self) -> list[str]:
        """Return what to beware of."""
        found, imported = [], self.imported
        counts = imported.study.history.counts()
        total, stopped = sum(counts.values()), counts.get("stopped", 0)
        if stopped:
            found.append(
                f"stopped before their end: {stopped} of {total} runs; they say that a config "
                "looked bad, not what it would have reached"
            )
        failed = sum(counts.get(s.value, 0) for s in State if s.failed)
        if failed >= FAILING * total:
            found.append(f"failed or diverged: {failed} of {total} runs")
        groups = Counter(run.group for run in imported.source.runs if run.group)
        if len(groups) > 1:
            shown = ", ".join(f"{name} ({n})" for name, n in groups.most_common(MOST))
            found.append(
                f"runs of {len(groups)} projects are mixed, and their results may not be "
                f"comparable: {shown}; --from NAME takes one"
            )
        for name, end, bound in held_back(self.evidence):
            found.append(
                f"the best {name} is at the {end} end of what was tried ({bound:.4g}): better ones "
                "may lie beyond"
            )
        if imported.study.history.axes and self.recipe is None:
            found.append(f"no recipe: {self.evidence.missing}")
        return found

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        imported, best = self.imported, self.evidence.best
        study = imported.study
        return {
            "study": study.name,
            "store": study.store_url,
            "runs": len(imported.source.runs),
            "added": imported.added,
            "known": imported.known,
            "left_out": dict(imported.left_out),
            "problems": list(imported.source.problems),
            "trials": study.history.counts(),
            "objective": study.history.objective.to_json(),
            "space": study.space.to_json(),
            "constants": dict(imported.inferred.constants),
            "set_aside": dict(imported.inferred.aside),
            "warnings": self.warnings(),
            "best": None
            if best is None
            else {
                "config": dict(best.config),
                "value": best.value,
                "interval": list(best.interval),
                "observed": best.observed,
                "trial": best.trial,
                "scale": dict(best.scale),
            },
            "importance": None if self.importance is None else self.importance.to_json(),
            "recipe": None if self.recipe is None else self.recipe.to_json(),
        }

    def __str__(self) -> str:
        imported, study = self.imported, self.imported.study
        head = f"{len(imported.source.runs)} runs read, {imported.added} added to {study.name!r}"
        rest = [f"{imported.known} were there"] if imported.known else []
        rest += [f"{len(imported.left_out)} left out"] if imported.left_out else []
        lines = [f"{head}{' (' + ', '.join(rest) + ')' if rest else ''}: {study.history.tally()}"]
        lines += _listed("Left out:", [f"{k}: {why}" for k, why in imported.left_out.items()])
        lines += _listed("Not read:", imported.source.problems)
        lines.append("Settings:")
        lines += [f"  {name}  {_range(p)}" for name, p in study.space.items()]
        constants = imported.inferred.constants
        if constants:
            said = ", ".join(f"{name} {show(value)}" for name, value in constants.items())
            lines.append(f"Never varied, and set aside: {said}")
        aside = [f"{name}: {why}" for name, why in imported.inferred.aside.items()]
        lines += _listed("Set aside:", aside)
        lines += _listed("Beware:", self.warnings(), most=20)
        paragraphs = ["\n".join(lines), *answers(self.evidence)]
        paragraphs += [str(part) for part in (self.importance, self.recipe) if part is not None]
        return "\n\n".join(paragraphs)


def _listed(title: str, lines: Sequence[str], most: int = MOST) -> list[str]:
    if not lines:
        return []
    more = len(lines) - most
    return [title, *(f"  - {line}" for line in lines[:most])] + (
        [f"  - and {more} more"] if more > 0 else []
    )


def _range(parameter: Parameter) -> str:
    if isinstance(parameter, Choice):
        text = " | ".join(show(value) for value in parameter.values)
    else:
        text = f"{show(parameter.low)} to {show(parameter.high)}{', log' * parameter.log}"
    condition = needs(parameter)
    return f"{text}, when {condition}" if condition else text
