"""The fitted drift model: what to ask of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from maquette.errors import ScaleError, nearest
from maquette.scaling.calibration import Calibration
from maquette.scaling.coordinates import Array, Setting
from maquette.scaling.edge import Edge
from maquette.scaling.findings import (
    constant_findings,
    edge_findings,
    fit_findings,
    posterior_findings,
    scale_findings,
    setting_findings,
    table_findings,
)
from maquette.scaling.mean import optimum
from maquette.scaling.measured import measured
from maquette.scaling.posterior import Mode, Problem
from maquette.scaling.recipe import Estimate, Recipe, least_regret
from maquette.scaling.runs import Runs
from maquette.scaling.target import Draws, Target
from maquette.scaling.verdict import Finding, judge

if TYPE_CHECKING:
    from maquette.scaling.validation import Validation

LOW, HIGH = 5.0, 95.0  # percentiles of a 90 % interval
BEYOND_WORST = 1.0  # a steep valley says nothing of losses e-folds above the worst run
LARGEST_PRODUCT = 64  # combinations of choices that are tried one by one
PLACES = 32  # scales whose best settings are kept: whoever draws a chart asks for each many times

Found = tuple[tuple[int, ...], Target, Array, float]  # levels, target, coordinates, regret


@final
@dataclass(frozen=True, slots=True)
class DriftModel:
    """A posterior over how loss depends on settings and scale. Made by `maquette.scaling.fit`."""

    runs: Runs
    draws: Draws
    problem: Problem
    mode: Mode
    cells: tuple[int, ...]
    edge: Edge | None
    bounds: Mapping[str, tuple[float, float]]
    calibration: Calibration
    errors: tuple[float, float]
    taus: tuple[tuple[float, float], ...]
    _found: dict[tuple[tuple[str, float], ...], Found] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )
    _checked: list[Validation | None] = field(
        init=False, default_factory=list, repr=False, compare=False
    )

    def recipe(self, **at: float) -> Recipe:
        """Return the recipe for a target scale; axes left out stay at their largest value."""
        place = self._place(at)
        levels, target, x, regret = self._best(place)
        if not (self.runs.numeric or self.runs.choices):
            regret = math.nan  # of settings that were never varied nothing is known
        s = self._scale(place)[0]
        config = self._config(levels, x)
        interval, drift, drift_interval = {}, {}, {}
        parts = self.draws.layout.split(self.draws.theta)
        rng = np.random.default_rng([self.draws.seed, 6])
        found = measured(target, self.runs, self.mode.scatter.sigma, rng)
        for j, setting in enumerate(self.runs.numeric):
            low, high = np.percentile(found[:, j], [LOW, HIGH])
            if setting.name in self.bounds:  # no sweep can find a value that is none
                low, high = np.clip([low, high], *(end[j] for end in self._limits()))
            interval[setting.name] = (setting.decode(float(low)), setting.decode(float(high)))
            slopes = parts.b[:, 1 : 1 + s.size, j] * setting.unit
            names = [a.name for a in self.runs.varying]
            drift[setting.name] = {n: float(v) for n, v in zip(names, slopes.mean(0), strict=True)}
            lows, highs = np.percentile(slopes, [LOW, HIGH], axis=0)
            drift_interval[setting.name] = {
                n: (float(a), float(b)) for n, a, b in zip(names, lows, highs, strict=True)
            }
        return Recipe(
            at=dict(place),
            config=config,
            interval=interval,
            loss=self._loss(target, x),
            drift=drift,
            drift_interval=drift_interval,
            linear=frozenset(s.name for s in self.runs.numeric if s.kind == "linear"),
            regret=regret,
            runs=int(self.runs.repeats.sum()) + len(self.runs.xd),
            verdict=judge(regret, self.findings(**at)),
            validation=self._validation(),
        )

    def _validation(self) -> Validation | None:
        if not self._checked:
            from maquette.scaling.validation import validate

            self._checked.append(validate(self))
        return self._checked[0]

    def optimum(self, **at: float) -> dict[str, Estimate]:
        """Return the optimum of each numeric setting at a scale, with 90 % intervals."""
        target = self._best(self._place(at))[1]
        out = {}
        for j, setting in enumerate(self.runs.numeric):
            low, middle, high = np.percentile(target.centre[:, j], [LOW, 50.0, HIGH])
            out[setting.name] = Estimate(
                setting.decode(float(middle)),
                setting.decode(float(low)),
                setting.decode(float(high)),
            )
        return out

    def predict(self, config: Mapping[str, Any], **at: float) -> Estimate:
        """Return the expected loss of one run with some settings at a scale, with its interval.

        Settings left out take the recipe's values.
        """
        place = self._place(at)
        target, x, _ = self._point(config, place)
        return self._loss(target, x)

    def regret(self, config: Mapping[str, Any], **at: float) -> Estimate:
        """Return the relative excess of some settings over the best ones at a scale (0.01: 1 %)."""
        place = self._place(at)
        target, x, levels = self._point(config, place)
        v = target.excess(x)
        if levels is not None and len(self.runs.choices):
            best, best_target, best_x, _ = self._best(place)
            if best != levels:
                v = v + target.log_floor - best_target.log_floor - best_target.excess(best_x)
        v = np.expm1(np.minimum(v, np.ptp(self.runs.t) + BEYOND_WORST))
        low, high = np.percentile(v, [LOW, HIGH])
        return Estimate(float(v.mean()), float(low), float(high))

    def flatness(self, loss: float = 0.01, **at: float) -> dict[str, tuple[float, float]]:
        """Return the range of each setting, others at the recipe, that costs under ``loss`` more.

        ``loss`` is relative (0.01 is 1 %) and counted from the recipe's own expected excess.
        """
        _, target, x, regret = self._best(self._place(at))
        out = {}
        for j, setting in enumerate(self.runs.numeric):
            ends = [self._reach(target, x, j, side, regret + loss) for side in (-1.0, 1.0)]
            out[setting.name] = (setting.decode(ends[0]), setting.decode(ends[1]))
        return out

    def importance(self, **at: float) -> dict[str, float]:
        """Return what each setting is worth at a scale: relative loss of a typical value tried.

        For a numeric setting the mean excess of its 10th and 90th percentile of what was tried,
        moved along with the optimum; for a choice the mean excess of its other levels.
        """
        place = self._place(at)
        levels, target, x, _ = self._best(place)
        base = float(np.mean(target.excess(x)))
        centre = np.median(target.centre, 0)
        parts = self.problem.layout.split(self.mode.theta)
        tried = self.runs.x - optimum(parts, self.problem.rows)
        out = {}
        for j, setting in enumerate(self.runs.numeric):
            ends = np.nanpercentile(tried[:, j], [10.0, 90.0])
            points = np.tile(x, (2, 1))
            points[:, j] = centre[j] + ends
            out[setting.name] = max(0.0, float(np.median(target.excess(points), 0).mean()) - base)
        for i, choice in enumerate(self.runs.choices):
            others = []
            for other in range(len(choice.levels)):
                if other != levels[i]:
                    swapped = (*levels[:i], other, *levels[i + 1 :])
                    low = self._target(place, swapped).log_floor - target.log_floor
                    others.append(float(np.mean(low)))
            out[choice.name] = max(0.0, float(np.mean(others)))
        return out

    def noise(self) -> dict[str, float | None]:
        """Return relative standard deviations: of repeats (``seed``), of rows about the model."""
        return {"seed": self.runs.seed_sd, "residual": self.mode.scatter.sigma}

    def edge_at(self, config: Mapping[str, Any], **at: float) -> float | None:
        """Return the probability that a run diverges, or None where no run diverged."""
        if self.edge is None:
            return None
        place = self._place(at)
        target, x, _ = self._point(config, place)
        s = self._scale(place)[0]
        return float(np.mean(self.edge.probability(x - target.centre, s)))

    def findings(self, **at: float) -> tuple[Finding, ...]:
        """Return what lowers trust in a recipe for a target."""
        place = self._place(at)
        problem, mode = self.problem, self.mode
        always = (*scale_findings(self.runs, place), *setting_findings(self.runs, place))
        if constant := tuple(constant_findings(self.runs)):
            return (*constant, *always)
        return (
            *always,
            *table_findings(self.runs, self.edge, self.errors),
            *fit_findings(self.runs, mode),
            *edge_findings(self.runs, problem, mode),
            *posterior_findings(self.runs, problem, mode, self.calibration, place),
        )

    def _place(self, at: Mapping[str, float]) -> dict[str, float]:
        names = [a.name for a in self.runs.axes]
        problems = []
        for name, value in at.items():
            if name not in names:
                problems.append(f"no scale axis {name!r}.{nearest(name, names)}")
            elif not (isinstance(value, int | float | np.number) and 0 < value < math.inf):
                problems.append(f"{name} must be a positive number, not {value!r}")
        if problems:
            raise ScaleError(problems)
        return {
            a.name: float(at[a.name]) if a.name in at else math.exp(a.centre + a.high)
            for a in self.runs.axes
        }

    def _scale(self, place: Mapping[str, float]) -> tuple[Array, Array, int | None]:
        axes = self.runs.axes
        s = np.asarray([a.encode(place[a.name]) for a in axes if a.varies], dtype=np.float64)
        extra = np.asarray([a.encode(place[a.name]) for a in axes if not a.varies])
        extra = np.where(np.abs(extra) < 1e-9, 0.0, extra)
        cell = None
        if not extra.any():
            for i, c in enumerate(self.cells):
                if np.allclose(self.runs.cells[c], s, rtol=0.0, atol=1e-7):
                    cell = i
        return s, extra, cell

    def _target(self, place: Mapping[str, float], levels: tuple[int, ...]) -> Target:
        s, extra, cell = self._scale(place)
        hot = np.zeros(self.draws.layout.levels)
        first = 0
        for choice, level in zip(self.runs.choices, levels, strict=True):
            hot[first + level] = 1.0
            first += len(choice.levels)
        target = self.draws.at(s, extra, hot, cell)
        return target.widened(self.calibration.optimum, self.calibration.floor)

    def _best(self, place: Mapping[str, float]) -> Found:
        key = tuple(sorted(place.items()))
        if key not in self._found:
            if len(self._found) >= PLACES:
                self._found.clear()
            self._found[key] = self._search(place)
        return self._found[key]

    def _search(self, place: Mapping[str, float]) -> Found:
        s = self._scale(place)[0]
        low, high = self._limits()
        found = []
        for levels in self._levels():
            target = self._target(place, levels)
            limits = self._trusted(target, low, high)
            x, regret = least_regret(target, limits, self.edge, s, self._carried(target, limits))
            found.append((float(np.mean(target.log_floor)) + regret, levels, target, x, regret))
        total = np.stack([f[2].log_floor + f[2].excess(f[3]) for f in found])
        best = min(range(len(found)), key=lambda i: found[i][0])
        _, levels, target, x, regret = found[best]
        x.setflags(write=False)  # kept
        return levels, target, x, regret + float(np.mean(total[best] - total.min(0)))

    def _trusted(self, target: Target, low: Array, high: Array) -> tuple[Array, Array]:
        """Narrow limits to what shading may reach: the interval, and what was tried if it is wide.

        Doubt and asymmetry move the recipe off the likely optimum, but not to where the optimum
        hardly is; an interval wider than all that was tried says nothing beyond what was tried.
        """
        if not low.size:
            return low, high
        first, middle, last = np.percentile(target.centre, [LOW, 50.0, HIGH], axis=0)
        tried = np.asarray([(c.low, c.high) for c in self.runs.numeric]).T
        wide = last - first > tried[1] - tried[0]
        first = np.where(wide, np.maximum(first, np.minimum(tried[0], middle)), first)
        last = np.where(wide, np.minimum(last, np.maximum(tried[1], middle)), last)
        return np.clip(first, low, high), np.clip(last, low, high)

    def _carried(self, target: Target, limits: tuple[Array, Array]) -> Array:
        """Return the best run of each scale, as far off the target's optimum as off its own."""
        parts = self.problem.layout.split(self.mode.theta)
        off = np.nan_to_num(self.runs.x - optimum(parts, self.problem.rows), nan=0.0)
        order = np.argsort(self.runs.t, kind="stable")
        _, first = np.unique(self.runs.cell[order], return_index=True)
        return np.clip(np.median(target.centre, 0) + off[order[first]], *limits)

    def _levels(self) -> Iterator[tuple[int, ...]]:
        sizes = [range(len(c.levels)) for c in self.runs.choices]
        return itertools.islice(itertools.product(*sizes), LARGEST_PRODUCT)

    def _limits(self) -> tuple[Array, Array]:
        low, high = [], []
        for s in self.runs.numeric:
            a, b = self.bounds.get(s.name, (None, None))
            ends = s.encode(
                np.asarray([a if a is not None else np.nan, b if b is not None else np.nan])
            )
            low.append(-20.0 if not np.isfinite(ends[0]) else float(ends[0]))
            high.append(20.0 if not np.isfinite(ends[1]) else float(ends[1]))
        return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)

    def _config(self, levels: tuple[int, ...], x: Array) -> dict[str, Any]:
        out: dict[str, Any] = {}
        numeric, choices = iter(x), iter(levels)
        for s in self.runs.settings:
            if not s.varies:
                out[s.name] = s.fixed
            elif s.kind == "choice":
                out[s.name] = s.levels[next(choices)]
            else:
                out[s.name] = s.decode(float(next(numeric)))
        return out

    def _point(
        self, config: Mapping[str, Any], place: Mapping[str, float]
    ) -> tuple[Target, Array, tuple[int, ...]]:
        names = [s.name for s in self.runs.settings]
        unknown = [c for c in config if c not in names]
        if unknown:
            raise ScaleError([f"no setting {c!r}.{nearest(c, names)}" for c in unknown])
        levels, target, x, _ = self._best(place)
        given = []
        for choice, level in zip(self.runs.choices, levels, strict=True):
            value = config.get(choice.name, choice.levels[level])
            if value not in choice.levels:
                known = nearest(str(value), map(str, choice.levels))
                raise ScaleError(f"{choice.name} was never {value!r}.{known}")
            given.append(choice.levels.index(value))
        if tuple(given) != levels:
            target = self._target(place, tuple(given))
        x = x.copy()
        for j, s in enumerate(self.runs.numeric):
            if s.name in config:
                x[j] = _encode(s, config[s.name])
        return target, x, tuple(given)

    def _loss(self, target: Target, x: Array) -> Estimate:
        most = np.ptp(self.runs.t) + BEYOND_WORST
        v = np.minimum(target.excess(x), most)
        t = target.log_floor + v
        rng = np.random.default_rng([self.draws.seed, 3])
        # Far from the optimum the valley's shape is off by a share of the excess.
        noise = np.sqrt(self.mode.scatter.squared(v, np.ones(v.size)))
        noisy = t + noise * rng.standard_normal(t.size)
        low, high = self.runs.to_loss(np.percentile(noisy, [LOW, HIGH]))
        return Estimate(float(self.runs.to_loss(float(np.mean(t)))), float(low), float(high))

    def _reach(self, target: Target, x: Array, j: int, side: float, bound: float) -> float:
        near, far = 0.0, 20.0
        for _ in range(40):
            middle = (near + far) / 2
            point = x.copy()
            point[j] += side * middle
            inside = float(np.mean(target.excess(point))) < bound
            near, far = (middle, far) if inside else (near, middle)
        return float(x[j] + side * near)


def _encode(setting: Setting, value: Any) -> float:
    z = float(setting.encode(np.asarray([value], dtype=np.float64))[0])
    if not math.isfinite(z):
        raise ScaleError(f"{setting.name} cannot be {value!r}: it is taken in log")
    return z
