"""What lowers trust, each with the run that would raise it again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from maquette.scaling.calibration import Calibration, moments
from maquette.scaling.coordinates import Array
from maquette.scaling.edge import Edge
from maquette.scaling.mean import Rows
from maquette.scaling.posterior import Mode, Problem, inverse
from maquette.scaling.runs import Runs
from maquette.scaling.selection import Index
from maquette.scaling.verdict import Finding, percent

GAP = math.log(1e5)  # neighbours in a column that differ by more are in different units
LOSS_GAP = math.log(30.0)
FAR, ABSURD = math.log(100.0), math.log(1e4)  # beyond the runs at hand
DIVERGED = 0.4
SAME = 1e-12  # of log losses
NEAR, STRANGE = 0.05, 4.0  # of fitted excess; of a residual, in the row's own scale
STRANGE_SHARE, STRANGE_ROWS = 0.1, 8  # healthy tables have 1 to 3 % of such rows
HOLLOW, HOLLOW_ROWS = 0.005, 12
FLAT = 1e-3  # losses that differ by less inside a scale need no explanation


def scale_findings(runs: Runs, place: Mapping[str, float]) -> Iterator[Finding]:
    """Axes that never varied, targets out of reach, columns in two units."""
    for axis in runs.axes:
        s = axis.encode(place[axis.name])
        low, high = math.exp(axis.centre + axis.low), math.exp(axis.centre + axis.high)
        if not axis.varies:
            if abs(s) > 1e-9:
                yield Finding(
                    "one value",
                    "do-not-trust" if abs(s) > math.log(1.2) else "caution",
                    f"every run has {axis.name} {low:g} and the target has "
                    f"{place[axis.name]:g}: nothing here says how the best settings move with "
                    f"{axis.name}; run at two more values of it, {2 * low:g} and {4 * low:g} say",
                )
            continue
        beyond = max(s - axis.high, axis.low - s)
        if beyond > FAR and beyond > axis.high - axis.low:
            edge = high if s > 0 else low
            absurd = beyond > ABSURD
            yield Finding(
                "extrapolation",
                "do-not-trust" if absurd else "caution",
                f"the target's {axis.name} {place[axis.name]:g} is a factor of "
                f"{math.exp(beyond):.3g} beyond the runs ({low:g} to {high:g}): "
                + ("check its unit" if absurd else "")
                + (" or " if absurd else "")
                + f"run {axis.name} at {edge * math.exp(math.copysign(beyond / 2, s)):.3g} too",
            )
    for name, values in _logs(runs):
        gaps = np.diff(np.unique(values))
        if gaps.size and gaps.max() > (LOSS_GAP if name == "loss" else GAP):
            yield Finding(
                "two populations",
                "do-not-trust",
                f"the {name} column holds two groups that differ by a factor of "
                f"{math.exp(float(gaps.max())):.2g} with nothing between: it looks like two "
                "units in one column; bring them to one unit",
            )


def setting_findings(runs: Runs, place: Mapping[str, float]) -> Iterator[Finding]:
    """Numeric settings of which one value was tried: worst where the target is another scale."""
    ends = ((axis.encode(place[axis.name]), axis) for axis in runs.axes)
    beyond = any(max(s - axis.high, axis.low - s) > 1e-9 for s, axis in ends)
    for setting in runs.settings:
        if setting.varies or setting.kind == "choice" or not math.isfinite(setting.fixed):
            continue
        yield Finding(
            "one value of a setting",
            "do-not-trust" if beyond else "caution",
            f"{setting.name} is {setting.fixed:g} in every run: nothing here says whether another "
            "is better"
            + (", or how the best one moves with scale" if beyond else "")
            + "; run two more values of it, or leave it out of the settings",
        )


def _counted(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def constant_findings(runs: Runs) -> Iterator[Finding]:
    """Losses that are all equal: there is nothing to choose by."""
    if len(runs.t) > 1 and float(np.ptp(runs.t)) < SAME:
        yield Finding(
            "constant loss",
            "do-not-trust",
            f"every run has the loss {float(runs.to_loss(float(runs.t[0]))):g}: the settings do "
            "not matter, or the wrong column was named",
        )


def _logs(runs: Runs) -> Iterator[tuple[str, Array]]:
    for i, axis in enumerate(runs.varying):
        yield axis.name, runs.s[:, i]
    for j, setting in enumerate(runs.numeric):
        if setting.kind != "linear":
            column = runs.x[:, j]
            yield setting.name, column[np.isfinite(column)]
    if runs.offset == 0.0:
        yield "loss", runs.t


def table_findings(runs: Runs, edge: Edge | None, errors: tuple[float, float]) -> Iterator[Finding]:
    """Too few configs, too many divergences, losses that do not follow the settings."""
    p, a, n = runs.x.shape[1], runs.s.shape[1], len(runs.t)
    need = 2 * p + a + 4 + runs.g.shape[1]
    if n < need:
        again = f" ({runs.duplicates} rows repeat others exactly)" if runs.duplicates else ""
        many = _counted(p + len(runs.choices), "varying setting")
        what = many + (f" on {_counted(a, 'axis', 'axes')}" if a else "") if p + a else "a fit"
        yield Finding(
            "few configs",
            "do-not-trust",
            f"only {_counted(n, 'different config')} finished{again}, and {what} "
            f"{'need' if p + len(runs.choices) > 1 or a else 'needs'} {need}: "
            f"run {need - n} more, around the best so far",
        )
    bad = len(runs.xd)
    if bad and edge is not None:
        share = bad / (bad + n)
        if share >= DIVERGED:
            follows = edge.skill >= 0.3
            yield Finding(
                "diverged",
                "caution" if follows else "do-not-trust",
                f"{bad} of {bad + n} configs diverged"
                + ("" if follows else ", and not because of the settings given")
                + (
                    ": run more configs on the safe side of the edge"
                    if follows
                    else ": find what made them diverge and run them again"
                ),
            )
    error, null = errors
    skill = 1.0 - error / null if null > 0 else 0.0
    if n >= need and null > FLAT**2 and skill < 0.3:
        yield Finding(
            "unexplained",
            "do-not-trust" if skill < 0.1 else "caution",
            f"at scales left out, the settings explain {100 * max(skill, 0.0):.0f} % of how losses "
            "near the best differ: they do not follow the settings, or the runs are too few or too "
            "noisy; repeat the best three configs with two more seeds each",
        )


def fit_findings(runs: Runs, mode: Mode) -> Iterator[Finding]:
    """Runs near the best that nothing explains, and optima where nothing was tried."""
    if not runs.numeric:
        return
    near = mode.excess < NEAR
    strange = near & (np.abs(mode.residual) > STRANGE * np.sqrt(mode.squared))
    share = float(strange.sum()) / max(int(near.sum()), 1)
    if strange.sum() >= STRANGE_ROWS and share > STRANGE_SHARE:
        yield Finding(
            "two populations",
            "do-not-trust",
            f"{100 * share:.0f} % of the runs near the best have a loss that is over "
            f"{STRANGE:g} times the noise away from what their settings and scale say: runs of two "
            "projects in one table, or of a setting that it does not hold; fit them apart, or add "
            "the column that tells them apart",
        )
    least = float(mode.excess.min())
    if len(runs.t) >= HOLLOW_ROWS and least > HOLLOW:
        yield Finding(
            "nothing near the best",
            "caution",
            f"every run lies {percent(least)} or more above where the best settings should be: run "
            "values between those tried",
        )


def edge_findings(runs: Runs, problem: Problem, mode: Mode) -> Iterator[Finding]:
    """Settings whose optimum is not bracketed by what was tried, at some scale."""
    if not problem.layout.p:
        return
    x, variance, _, _ = moments(problem, mode, problem.rows)
    dead = Rows(runs.xd, runs.sd, runs.gd, np.zeros((len(runs.sd), problem.layout.cells)))
    x_dead = moments(problem, mode, dead)[0] if len(runs.xd) else np.zeros((0, x.shape[1]))
    groups = _groups(runs, max(6, 3 * problem.layout.p + 2))
    for j, setting in enumerate(runs.numeric):
        outside: list[tuple[str, int]] = []
        for index in groups:
            u = runs.x[index, j] - x[index, j]
            if not np.isfinite(u).any() or np.unique(np.round(runs.x[index, j], 6)).size < 2:
                continue
            here = np.unique(runs.cell[index])
            near = np.isin(_cell_of(runs, runs.sd), here)
            u = np.concatenate([u, (runs.xd[:, j] - x_dead[:, j])[near]])
            sd = float(np.sqrt(variance[index, j].mean()))
            above, below = float(np.nanmax(u)) < sd, -float(np.nanmin(u)) < sd
            if above or below:
                side = "above and below" if above and below else "above" if above else "below"
                outside.append((side, int(index[0])))
        for side in ("above", "below", "above and below"):
            mine = [o for o in outside if o[0] == side]
            if not mine:
                continue
            grave = 2 * len(mine) > len(groups)
            where = ", ".join(_where(runs, o[1]) for o in mine[:3])
            scale = f" at {where}" if where else ""
            fault = (
                f"the runs bracket the best {setting.name} from neither side{scale}"
                if side == "above and below"
                else f"the best {setting.name} lies on the edge of what was tried{scale}"
            )
            yield Finding(
                "edge of range",
                "do-not-trust" if grave else "caution",
                f"{fault}: run values {side} those tried there",
            )


def _groups(runs: Runs, least: int) -> list[Index]:
    """Scales with enough rows one by one, the others together in order of size."""
    cells = runs.cells
    order = sorted(range(len(cells)), key=lambda c: float(cells[c].sum()))
    groups: list[Index] = []
    pending: Index = np.zeros(0, dtype=np.int64)
    for c in order:
        index = np.flatnonzero(runs.cell == c)
        if index.size >= least:
            groups.append(index)
        else:
            pending = np.concatenate([pending, index])
            if pending.size >= least:
                groups.append(pending)
                pending = np.zeros(0, dtype=np.int64)
    return groups or [np.arange(len(runs.t), dtype=np.int64)]


def _cell_of(runs: Runs, s: Array) -> Index:
    out = np.full(len(s), -1, dtype=np.int64)
    for c, at in enumerate(runs.cells):
        out[np.all(np.abs(s - at) < 1e-7, axis=1)] = c
    return out


def _where(runs: Runs, row: int) -> str:
    return " ".join(
        f"{a.name} {math.exp(a.centre + float(runs.s[row, i])):g}"
        for i, a in enumerate(runs.varying)
    )


def posterior_findings(
    runs: Runs, problem: Problem, mode: Mode, calibration: Calibration, place: Mapping[str, float]
) -> Iterator[Finding]:
    """Drift that the runs do not inform, and failed predictions of the largest scales."""
    lay = problem.layout
    sd = np.sqrt(np.diag(mode.covariance))
    b_sd = lay.split(sd).b
    prior_sd = lay.split(mode.prior_sd).b
    kappa = np.exp(lay.split(mode.theta).kappa[0])
    for i, axis in enumerate(runs.varying):
        s = axis.encode(place[axis.name])
        beyond = max(s - axis.high, axis.low - s, 0.0)
        for j, setting in enumerate(runs.numeric):
            cost = 0.5 * kappa[j] * (beyond * b_sd[1 + i, j]) ** 2
            if b_sd[1 + i, j] > 0.9 * prior_sd[1 + i, j] and cost > 1e-3:
                yield Finding(
                    "nothing learnt",
                    "caution",
                    f"the runs do not say how the best {setting.name} moves with {axis.name}: "
                    f"run three values of {setting.name} at {axis.name} "
                    f"{math.exp(axis.centre + axis.high) * math.exp(beyond / 2):.3g}",
                )
    yield from _told(runs, problem, mode, place)
    if calibration.tested and calibration.misses[0] > 4.0:
        yield Finding(
            "largest scales missed",
            "caution",
            "fitted on the smaller scales alone, the model misses the best settings of the "
            f"{calibration.tested} largest by {calibration.misses[0]:.1f} spreads: run one more "
            "scale between them and the target",
        )


def _told(
    runs: Runs, problem: Problem, mode: Mode, place: Mapping[str, float]
) -> Iterator[Finding]:
    """Settings whose best value at the target published laws tell rather than the runs."""
    if not problem.laws.sd.size:
        return
    lay = problem.layout
    alone = inverse(inverse(mode.covariance) - problem.laws.precision)
    kappa = np.exp(lay.split(mode.theta).kappa[0])
    for j, setting in enumerate(runs.numeric):
        gradient = np.zeros(lay.starts[-1])  # of the optimum at the target, by theta
        z = [1.0, *(axis.encode(place[axis.name]) for axis in runs.varying)]
        gradient[lay.starts[3] + j + lay.p * np.arange(len(z))] = z
        told, own = gradient @ mode.covariance @ gradient, gradient @ alone @ gradient
        if own > 2.0 * told and 0.5 * kappa[j] * (own - told) > 1e-3:
            yield Finding(
                "told by laws",
                "caution",
                f"published laws say what the best {setting.name} is at the target more than "
                f"these runs do: run three values of {setting.name} nearer to the target",
            )
