"""The four answers, in sentences: best, flatness and cliff, what mattered, what to use."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from maquette.history import History
from maquette.report.around import around_answer
from maquette.report.attribution import matter
from maquette.report.boundary import (
    at_the_edge,
    cliff,
    flatness,
    held_back,
    on_the_edge,
    untried,
)
from maquette.report.evidence import Evidence, gather
from maquette.report.front import front_answer
from maquette.report.importance import effects
from maquette.report.words import listed, percent, place, ranged, short, span
from maquette.study.best import Best
from maquette.study.front import nothing_found
from maquette.study.study import Study

if TYPE_CHECKING:
    from maquette.scaling import DriftModel, Recipe


def answers(
    source: Study | History | Evidence,
    recipe: Recipe | None = None,
    model: DriftModel | None = None,
) -> list[str]:
    """Return the answers that a person reads after a run, one paragraph each.

    Parameters
    ----------
    source
        A study, its history, or evidence gathered already.
    recipe, model
        If they are at hand; else they are fitted.

    Returns
    -------
    list of str
        1. The best config with its uncertainty, the gain over the default, boundaries.
        2. How flat the optimum is, how near the cliff of divergence, how much is noise.
        3. What mattered and what did not; whether more budget would help.
        4. With a scale: what to use at the target, the loss to expect, how far to trust it and
           what would raise the trust most.
        5. With a budget: what is spent of it, and what is left.
    """
    evidence = source if isinstance(source, Evidence) else gather(source, model, recipe)
    return list(titled(evidence).values())


def titled(evidence: Evidence) -> dict[str, str]:
    """Return the answers by title; those about which there is nothing to say are left out."""
    if evidence.best is None:
        reason = nothing_found(evidence.history).problems[0]
        return {"The best settings": f"{reason[:1].upper()}{reason[1:]}."}
    found = {
        "The best settings": best_answer(evidence),
        "How flat, how near the cliff": flat_answer(evidence),
        "What mattered": matter_answer(evidence),
        "At the target": target_answer(evidence) if evidence.history.axes else "",
        "The budget": budget_answer(evidence.history),
    }
    return {title: text for title, text in found.items() if text}


def best_answer(evidence: Evidence) -> str:
    """Say which config is best, how sure that is, and what it gains."""
    best = evidence.best
    if best is None:
        return ""
    metric = evidence.history.objective.primary
    settings = listed(f"{k} {short(v)}" for k, v in best.config.items())
    where = f" at {place(best.scale)}" if best.scale else ""
    low, high = best.interval
    text = (
        f"Best{where}: {settings} (trial {best.trial}), {metric} {short(best.value, 4)} "
        f"(90 %: {short(low, 4)} to {short(high, 4)}; measured {short(best.observed, 4)})."
    )
    return " ".join([*front_answer(evidence.front), text, *_gain(evidence), *_edges(evidence)])


def _gain(evidence: Evidence) -> list[str]:
    """Compare with the default config through the model; both may never have run there.

    Without a model the default is compared as it was measured, if it was.
    """
    best, model = evidence.best, evidence.model
    if best is None:
        return []
    if model is None:
        return _measured_gain(evidence, best)
    names = {s.name for s in model.runs.settings}
    default = {k: v for k, v in evidence.history.space.defaults().items() if k in names}
    try:
        excess = model.regret(default, **best.scale)
    except ValueError:
        return []
    if excess.low <= 0:
        return ["The default settings are about as good there."]
    return [
        f"The default settings would cost {percent(excess.mean)} more there "
        f"({percent(excess.low)} to {percent(excess.high)})."
    ]


def _measured_gain(evidence: Evidence, best: Best) -> list[str]:
    history = evidence.history
    default = history.domain.key(history.domain.fill(history.space.defaults()))
    same = [
        t.loss
        for t in evidence.done
        if dict(t.scale) == dict(best.scale)
        and t.number != best.trial
        and history.domain.key(history.domain.fill(t.config)) == default
    ]
    if not same:
        return []
    value = history.objective.value(sum(same) / len(same))
    return [f"The default settings measured {short(value, 4)} there."]


def _edges(evidence: Evidence) -> list[str]:
    stands = dict(evidence.best.config) if evidence.best is not None else {}
    if not at_the_edge(evidence) and not on_the_edge(evidence.history.space, stands):
        return ["It sits on no boundary of the space."]
    found = held_back(evidence)
    if not found:
        return ["No end of a range holds it back."]
    return [
        f"{name} sits on the {side} end of its range ({short(value)}): widen it."
        for name, side, value in found
    ]


def flat_answer(evidence: Evidence) -> str:
    """Say how flat the optimum is, how near divergence, and how much is noise."""
    model = evidence.model
    if model is None:
        return around_answer(evidence) or f"Flatness and noise are not known: {evidence.missing}."
    where = f" at {place(evidence.at)}" if evidence.at else ""
    text = (
        f"Less than 1 % of loss is lost{where} with "
        + listed(f"{name} {_extent(*ends)}" for name, ends in flatness(evidence).items())
        + "."
    )
    return " ".join([text, _cliff(evidence), _noise(model)])


def _extent(low: float, high: float) -> str:
    return f"at {short(low)}" if low == high else f"from {ranged(low, high)}"


def _cliff(evidence: Evidence) -> str:
    count = evidence.history.counts().get("diverged", 0)
    if not count:
        return "No run diverged."
    runs = f"{count} run{'s' if count > 1 else ''} diverged"
    found = cliff(evidence)
    if found is None:
        return f"{runs}, none near the optimum."
    name, factor, value = found
    return (
        f"{runs}; the cliff is nearest in {name}: {factor:.1f} times the recommended value "
        f"({short(value)}) diverges as often as not."
    )


def _noise(model: DriftModel) -> str:
    noise = model.noise()
    seed, residual = noise["seed"], noise["residual"]
    parts = []
    if seed is not None:
        parts.append(f"repeats of one config differ by {percent(seed)} (one standard deviation)")
    if residual is not None:
        parts.append(
            f"runs scatter by {percent(residual)} about the fit, so two runs closer than "
            f"{percent(2 * residual)} are a tie"
        )
    text = listed(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


def matter_answer(evidence: Evidence) -> str:
    """Say what mattered, what did not, and whether more budget would help."""
    model = evidence.model
    if model is None:
        return " ".join([matter(evidence), *untried(evidence)]).strip()
    residual = model.noise()["residual"] or 0.0
    found = effects(evidence)
    small = [e for e in found if e.mean < max(residual, 1e-4)]
    large = [e for e in found if e not in small]
    parts = []
    if large:
        ranks = listed(f"{e.name} ({percent(e.mean)})" for e in large)
        parts.append(f"What mattered, by the loss at a typical value tried: {ranks}.")
    if small:
        parts.append(
            f"{listed(e.name for e in small)} made less difference than the scatter of runs."
        )
    return " ".join([*parts, *untried(evidence), more_budget(evidence)])


def more_budget(evidence: Evidence) -> str:
    """Say what is left to gain, from the posterior, and how the search went lately."""
    model = evidence.model
    if model is None:
        return ""
    regret = evidence.recipe.regret if evidence.recipe is not None else model.recipe().regret
    noise = model.noise()["residual"] or 0.0
    left = f"At most {percent(regret)} of loss is expected to be left in these settings"
    if regret < max(0.001, noise / 4):
        small = ", well under the noise" if regret < noise / 4 else ""
        return f"{left}{small}: more budget would hardly help."
    late = _late_gain(evidence)
    if late is not None and late > noise:
        return f"{left}, and the last third of the trials still improved by {percent(late)}: go on."
    return f"{left}: more runs near the optimum would still narrow it."


def budget_answer(history: History) -> str:
    """Say what is spent of the budget, and what is left; empty where none was ever set."""
    budget, seconds = history.budget, history.elapsed()
    unit = f" {history.objective.cost}" if history.objective.cost else ""
    parts = []
    if budget.trials is not None:
        left = max(0, budget.trials - len(history.trials))
        parts.append(f"{len(history.trials)} of {budget.trials} trials ({left} left)")
    if budget.seconds is not None:
        left_text = span(max(0.0, budget.seconds - seconds))
        parts.append(f"{span(seconds)} of {span(budget.seconds)} ({left_text} left)")
    if budget.cost is not None:
        left_text = short(max(0.0, budget.cost - history.cost))
        spent = f"{short(history.cost)} of {short(budget.cost)}{unit}"
        parts.append(f"a cost of {spent} ({left_text} left)")
    return f"Spent of the budget: {listed(parts)}." if parts else ""


def _late_gain(evidence: Evidence) -> float | None:
    """Return the largest relative gain of the last third of the trials over the first, by cell."""
    gains = []
    done, cut = evidence.done, 2 * len(evidence.history.trials) // 3
    for key in {tuple(t.scale.items()) for t in done}:
        here = [t for t in done if tuple(t.scale.items()) == key]
        early = [t.loss for t in here if t.number < cut]
        late = [t.loss for t in here if t.number >= cut]
        if early and late and min(early) != 0:
            gains.append((min(early) - min(late)) / abs(min(early)))
    return max(gains) if gains else None


def target_answer(evidence: Evidence) -> str:
    """Say what to use at the target, what to expect, and how far to trust it."""
    recipe = evidence.recipe
    if recipe is None:
        return f"There is no recipe for the target: {evidence.missing}."
    settings = listed(_with_interval(name, recipe) for name in recipe.config)
    loss, verdict = recipe.loss, recipe.verdict
    text = (
        f"At {place(recipe.at)} use {settings}. Expect a loss of {short(loss.mean, 4)} "
        f"(90 %: {short(loss.low, 4)} to {short(loss.high, 4)})."
    )
    trust = {
        "trust": "Trust it",
        "caution": "Use it with caution",
        "do-not-trust": "Do not trust it",
    }[verdict.level]
    reasons = list(verdict.reasons)
    why = f"{trust}: {reasons[0]}." if reasons else f"{trust}."
    return " ".join([text, *_drift(recipe), why, _raise_trust(evidence)]).strip()


def _with_interval(name: str, recipe: Recipe) -> str:
    value = short(recipe.config[name])
    if name not in recipe.interval:
        return f"{name} {value}"
    return f"{name} {value} ({ranged(*recipe.interval[name])})"


def _drift(recipe: Recipe) -> list[str]:
    """Name the exponents whose interval leaves out zero; theory may have removed them all."""
    moving = []
    for name, axes in recipe.drift.items():
        for axis, value in axes.items():
            low, high = recipe.drift_interval[name][axis]
            if low > 0 or high < 0:
                tenfold = f"{value * math.log(10):+.3g} with each tenfold {axis}"
                linear = name in recipe.linear
                moving.append(f"{name} {f'by {tenfold}' if linear else f'as {axis}^{value:+.2f}'}")
    if moving:
        return [f"The best settings move with scale: {listed(moving)}."]
    if any(recipe.drift.values()):
        return ["No setting moves with scale by more than its uncertainty."]
    return []


def _raise_trust(evidence: Evidence) -> str:
    """Name the exponent whose doubt, carried as far as the target lies, moves a setting most."""
    recipe, model = evidence.recipe, evidence.model
    if recipe is None or model is None or recipe.verdict.level == "trust":
        return ""
    distance = {axis.name: abs(axis.encode(recipe.at[axis.name])) for axis in model.runs.axes}
    doubts = [
        ((high - low) * distance[axis], name, axis)
        for name, axes in recipe.drift_interval.items()
        for axis, (low, high) in axes.items()
    ]
    if not doubts:
        return ""
    _, name, axis = max(doubts, key=lambda doubt: doubt[0])
    return (
        f"What would raise the trust most: runs around the best {name} at a larger "
        f"{axis}, where its movement is least certain."
    )
