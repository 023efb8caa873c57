"""Gaussian-process search: where is the expected improvement largest?

An initial design (the default config, then a Sobol sequence) is followed by the maximum of the
logarithm of the expected improvement [1] on the lowest posterior mean among observed configs: a
measured value may be lucky, a posterior mean less so. The model is that of
`maquette.surrogate.gp`, with the priors of [2].

- Few trials leave the model's hyperparameters open: with one metric and no bounds on others the
  improvement is averaged over what they may be [4], each draw improving on what it would itself
  recommend. That is also what lets the initial design be short.
- Pending trials are believed to come out at their posterior mean ("kriging believer", [3]). They
  are conditioned on last, and thrown away.
- A trial that the scheduler stopped early is no observation; it is believed to come out at its
  posterior mean or at the median, whichever is worse, so that the search does not return there.
- With two or three metrics it is the expected improvement of the hypervolume, with more that of a
  random scalarisation; every metric has its own model.
- Failed trials (diverged, out of memory, crashed, timed out) teach a classifier, and every bound
  on a metric has a model; the improvement is multiplied by the chance of being feasible. While no
  trial is, the search is for one that is.
- Where a scale is declared, one model covers all cells through the logs of the scale coordinates.
- Priors of the space's parameters weigh the improvement, less with every result.
- Pasts of earlier studies shorten the initial design and, with one metric, lend the model their
  trend, while results bear them out (`maquette.surrogate.carried`).
- Configs that were already proposed in the same cell are passed over while there are others, but
  where results are noisy one of the best is measured again when that teaches more.

References
----------
.. [1] S. Ament, S. Daulton, D. Eriksson, M. Balandat and E. Bakshy. Unexpected Improvements to
       Expected Improvement for Bayesian Optimization. NeurIPS 2023.
.. [2] C. Hvarfner, E. O. Hellsten and L. Nardi. Vanilla Bayesian Optimization Performs Great in
       High Dimensions. ICML 2024.
.. [3] D. Ginsbourger, R. Le Riche and L. Carraro. Kriging Is Well-Suited to Parallelize
       Optimization. 2010.
.. [4] J. Snoek, H. Larochelle and R. P. Adams. Practical Bayesian Optimization of Machine Learning
       Algorithms. NeurIPS 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.pareto import front
from maquette.search.acquisition import MARGIN, Constrained, LogEI, Target
from maquette.search.beliefs import Belief, believe
from maquette.search.cell import cell_row, in_cell
from maquette.search.climb import Ground, Pool, candidates, climb, pool_of
from maquette.search.expert import expert
from maquette.search.feasible import Feasible, feasible, likely
from maquette.search.hypervolume import log_ehvi
from maquette.search.repeat import PAYS, gains, noisy
from maquette.search.scalarised import log_scalarised_ei
from maquette.search.sobol import initial_design
from maquette.surrogate.carried import Carried, learn_rest
from maquette.surrogate.comparable import inside
from maquette.surrogate.gp import Points
from maquette.surrogate.observations import scale_row
from maquette.surrogate.plausible import Plausible
from maquette.surrogate.refit import Refits, learn_most_probable, learn_plausible
from maquette.surrogate.threads import single_threaded
from maquette.trial import Suggestion

Array = NDArray[np.float64]

REPEATED = "gp:repeat"
INITIAL = 5
# Of more metrics than this the hypervolume is left for a scalarisation.
MOST_HYPERVOLUME = 3
# Of more trials only those of the lowest losses may be the incumbent.
MOST_KNOWN = 200


@final
@dataclass(frozen=True, slots=True)
class GP:
    """Searches with a Gaussian process.

    Parameters
    ----------
    initial
        Trials of the initial design, at least 1; None: 5, or fewer where earlier studies tell more.
    candidates
        Random and local points each that the acquisition function is first evaluated at.
    starts
        Points that it is climbed from.
    repeat
        Whether a config among the best may be measured again where results are noisy and that
        teaches more than a new config.

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    initial: int | None = None
    candidates: int = 256
    starts: int = 4
    repeat: bool = True
    _plausible: Refits[Plausible] = field(
        default_factory=lambda: Refits(learn_plausible), init=False, repr=False, compare=False
    )
    _probable: Refits[Plausible] = field(
        default_factory=lambda: Refits(learn_most_probable), init=False, repr=False, compare=False
    )
    _rest: Refits[Plausible] = field(
        default_factory=lambda: Refits(learn_rest), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        given = {
            "initial": 1 if self.initial is None else self.initial,
            "candidates": self.candidates,
            "starts": self.starts,
        }
        problems = [f"{name} must be at least 1, not {v!r}" for name, v in given.items() if v < 1]
        if problems:
            raise StudyError(problems)

    @single_threaded
    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs, each chosen as if those before it were already pending."""
        opening = initial_design(history, self.initial, n, most=INITIAL)
        if opening is not None:
            return opening
        alone = len(history.objective.metrics) == 1 and not history.objective.constraints
        model = _model(history, at, self._plausible if alone else self._probable, self._rest)
        if model.misled:
            opening = initial_design(history, self.initial, n, led_on=False, most=INITIAL)
            if opening is not None:
                return opening
        taken, priors = in_cell(history, at), expert(history)
        around = None if priors is None else priors.centre()
        suggestions = []
        for _ in range(n):
            name, target = model.target(rng)
            if priors is not None:
                target = priors.weighing(target, model.beliefs[0].seen.embed)
            row, active, value = self._best(model, target, taken, rng, around)
            origin, reason = f"gp:log-{name}", {f"log_{name.replace('-', '_')}": value}
            again = model.worth_repeating(row, active) if self.repeat else None
            if again is not None:
                row, active, reason = again
                origin = REPEATED
            pool = Pool(row[None], active[None])
            here = model.place(row[None], active[None])
            why = {**model.prediction(here), **reason}
            if priors is not None:
                why |= priors.why(row, active)
            why = {key: float(f"{number:.6g}") for key, number in why.items()}
            suggestions.append(Suggestion(model.ground.config(row), origin, why))
            taken.update(pool.keys())
            model = model.believing(here, again=again is not None)
        return suggestions

    def _best(
        self,
        model: _Model,
        target: Target,
        taken: set[bytes],
        rng: np.random.Generator,
        around: Array | None = None,
    ) -> tuple[Array, NDArray[np.bool_], float]:
        """Return the row of the largest acquisition value found, its mask, and the value.

        Candidates are drawn around rows `around` (k, d) too.
        """
        ground, embed = model.ground, model.beliefs[0].seen.embed
        best = model.best if around is None else np.concatenate([model.best, around])
        found: list[tuple[Array, NDArray[np.bool_], float]] = []
        for pool in candidates(ground, best, rng, self.candidates):
            if not len(pool.X):
                continue
            values = target(model.place(pool.X, pool.active))
            order = np.argsort(-values, kind="stable")
            for i in order[: (self.starts + 1) // 2]:
                start = pool.X[i], pool.active[i]
                found.append(climb(ground, embed, target, model.place, start))
            # What was not climbed from stands by, should every summit be taken.
            found += [(pool.X[i], pool.active[i], float(values[i])) for i in order]
        found.sort(key=lambda entry: -entry[2])
        for row, active, value in found:
            if Pool(row[None], active[None]).keys()[0] not in taken:
                return row, active, value
        return found[0]


@final
@dataclass(frozen=True, slots=True)
class _Model:
    """What is believed of every loss and of feasibility, for suggestions at one cell.

    Attributes
    ----------
    scale
        The cell, shape (1, axes).
    known
        Posterior means of the losses in the cell at feasible configs, observed, pending or
        suggested, shape (m, metrics).
    lowest
        The lowest of these of the first loss, by each member of its mixture, shape (J,).
    best
        Rows (k, d) of the best configs known.
    repeats
        Whether one of them may be measured again: there is noise, and none of them is pending.
    """

    history: History
    beliefs: tuple[Belief, ...]
    chance: Feasible | None
    scale: Array
    known: Array
    lowest: Array
    best: Array
    repeats: bool

    @property
    def ground(self) -> Ground:
        return Ground(self.history.space, self.history.domain)

    @property
    def misled(self) -> bool:
        """Whether there are pasts, and results speak against all of them."""
        first = self.beliefs[0].posterior
        return isinstance(first, Carried) and not first.trend.weights.any()

    def place(self, X: Array, active: NDArray[np.bool_]) -> Points:
        return self.beliefs[0].seen.place(X, active, np.repeat(self.scale, len(X), axis=0))

    def target(self, rng: np.random.Generator) -> tuple[str, Target]:
        """Return what to climb, and its name."""
        if not len(self.known):
            return "feasibility", self.chance or Feasible()
        posteriors = tuple(belief.posterior for belief in self.beliefs)
        target: Target
        if len(posteriors) == 1:
            name, target = "ei", LogEI(posteriors[0], self.lowest - MARGIN)
        elif len(posteriors) <= MOST_HYPERVOLUME:
            name, target = "ehvi", log_ehvi(posteriors, self.known, MARGIN)
        else:
            target = log_scalarised_ei(posteriors, self.known, MARGIN, rng)
            name = "scalarised-ei"
        return name, target if self.chance is None else Constrained(target, self.chance)

    def prediction(self, at: Points) -> dict[str, float]:
        """Return mean and standard deviation of every loss, and the chance of being feasible."""
        found: dict[str, float] = {}
        several = len(self.beliefs) > 1
        for name, belief in zip(self.history.objective.metrics, self.beliefs, strict=True):
            suffix = f" {name}" if several else ""
            found["mean" + suffix], found["sd" + suffix] = belief.predicted(at, self.scale)
            if isinstance(belief.posterior, Carried):
                found |= belief.posterior.trend.why()
        if self.chance is not None:
            found["feasible"] = float(np.exp(self.chance(at)[0]))
        return found

    def worth_repeating(
        self, row: Array, active: NDArray[np.bool_]
    ) -> tuple[Array, NDArray[np.bool_], dict[str, float]] | None:
        """Return the config that is better measured again than a new row is measured, and why."""
        if not self.repeats:
            return None
        best = self.ground.pool(self.best)
        posterior = self.beliefs[0].posterior
        new = self.place(row[None], active[None])
        again, fresh = gains(posterior, self.place(best.X, best.active), new)
        p = int(np.argmax(again))
        if again[p] <= PAYS * fresh:
            return None
        return best.X[p], best.active[p], {"gain": float(again[p]), "gain_new": fresh}

    def believing(
        self, at: Points, elsewhere: Points | None = None, *, again: bool = False
    ) -> _Model:
        """Return the model that takes its own means for measured at points of the cell.

        `elsewhere`: the same configs where they run, if that is in other cells. `again`: one of the
        best is pending now; one at a time is measured again.
        """
        means = np.stack([belief.mean(at) for belief in self.beliefs], axis=1)
        run = at if elsewhere is None else elsewhere
        beliefs = tuple(belief.believing(run) for belief in self.beliefs)
        fine = likely(self.chance, at)
        known = np.concatenate([self.known, means[fine]])
        lowest = np.minimum(self.lowest, _lowest(self.beliefs[0], at.take(np.flatnonzero(fine))))
        chance = None if self.chance is None else self.chance.believing(run)
        repeats = self.repeats and not again
        return _Model(self.history, beliefs, chance, self.scale, known, lowest, self.best, repeats)


def _model(
    history: History,
    at: Fidelity,
    refits: Refits[Plausible],
    rest: Refits[Plausible],
) -> _Model:
    """Return the model of all trials, pending ones last.

    `refits` learns the hyperparameters of losses and bounds, `rest` those of what pasts leave.
    """
    problem, finished = history.problem, history.finished
    metrics = range(len(history.objective.metrics))
    learned = rest if problem.past and len(metrics) == 1 else refits
    beliefs = tuple(believe(problem, finished.metric(j), learned) for j in metrics)
    scale, seen = cell_row(history, at), beliefs[0].seen
    chance = feasible(problem, finished, seen, scale, refits)
    whole = np.flatnonzero(np.isfinite(finished.losses).all(axis=1))
    rows = inside(history, whole[~(finished.violation[whole] > 0)])
    if len(metrics) == 1 and not history.axes and len(rows) > MOST_KNOWN:
        # The lowest means are among the lowest losses, and to predict all takes long.
        rows = np.sort(rows[np.argsort(finished.loss[rows], kind="stable")[:MOST_KNOWN]])
    place = seen.place(finished.X[rows], finished.active[rows], np.repeat(scale, len(rows), axis=0))
    means = [belief.posterior.each(place)[0] for belief in beliefs]
    known = np.stack([b.posterior.weight @ m for b, m in zip(beliefs, means, strict=True)], axis=1)
    lowest = np.asarray(means[0].min(axis=1, initial=np.inf))
    if len(rows):
        best = finished.X[rows[_foremost(known)]]
    else:
        broken = np.nan_to_num(finished.violation[seen.rows], nan=np.inf)
        best = finished.X[seen.rows[np.argsort(broken, kind="stable")[:5]]]
    waiting = any(t.origin.endswith(REPEATED) for t in history.pending)
    repeats = len(beliefs) == 1 and bool(len(rows)) and not waiting
    repeats = repeats and noisy(beliefs[0].posterior, finished)
    model = _Model(history, beliefs, chance, scale, known, lowest, best, repeats)
    if not (pending := history.pending):
        return model
    # The next trial should improve on what the pending ones are believed to reach.
    believed = pool_of(pending)
    X, active = believed.X, believed.active
    scales = np.concatenate([scale_row(history.axes, t.scale) for t in pending])
    return model.believing(model.place(X, active), seen.place(X, active, scales))


def _lowest(belief: Belief, at: Points) -> Array:
    """Return the lowest mean of each member at m points, shape (J,); infinite for none."""
    return np.asarray(belief.posterior.each(at)[0].min(axis=1, initial=np.inf))


def _foremost(known: Array) -> NDArray[np.intp]:
    """Return the rows to look around, of means (m, metrics): the best, or some of the front."""
    if known.shape[1] == 1:
        return np.argsort(known[:, 0], kind="stable")[:5]
    on = front(known)
    on = on[np.argsort(known[on, 0], kind="stable")]
    return np.asarray(on[np.unique(np.linspace(0, len(on) - 1, 8).round().astype(int))])
