"""The best trial of a study, judged by what its config is worth rather than by its luck."""

from __future__ import annotations

import numpy as np

from maquette.columns import Finished
from maquette.history import History
from maquette.surrogate.comparable import comparable
from maquette.surrogate.mixture import mixture
from maquette.surrogate.observations import observe
from maquette.surrogate.refit import learn_plausible, part
from maquette.surrogate.threads import single_threaded

# With fewer observations a model says no more than the values themselves.
LEAST = 4


@single_threaded
def denoised(history: History, trial: int | None = None) -> tuple[int, float, float] | None:
    """Return (trial, mean, standard deviation) of the finished trial whose config is best.

    Or of the trial that is given, None if it is not among those that are compared. The posterior
    mean of a Gaussian process over all finished trials, at their own configs, in
    loss units; trials that break a constraint on a metric do not count, nor do those outside a
    space that was narrowed while there are others. With a scale, trials of
    the largest cell that has results are compared, with the help of those at other cells. Below
    four observations: the lowest loss as measured, and the spread of the losses (0 for one).
    None if nothing has finished with a finite loss.
    """
    finished = history.finished
    eligible = np.flatnonzero(_eligible(finished))
    if not len(eligible):
        return None
    eligible = comparable(history, eligible)
    losses = finished.loss[eligible]
    if trial is not None:
        eligible = eligible[finished.trial[eligible] == trial]
        if not len(eligible):
            return None
    if finished.ok.sum() < LEAST:
        best = eligible[np.argmin(finished.loss[eligible])]
        spread = float(losses.std(ddof=1)) if len(losses) > 1 else 0.0
        return int(finished.trial[best]), float(finished.loss[best]), spread
    theta = learn_plausible(history.problem, finished)
    seen = observe(history.problem, finished)
    posterior = mixture(theta, *part(seen))
    scale = finished.scale[eligible]
    mean, variance = posterior.predict(seen.place_trials(finished, eligible))
    best = int(np.argmin(mean))
    loss, sd = seen.losses(mean, np.sqrt(variance), scale)
    return int(finished.trial[eligible[best]]), float(loss[best]), float(sd[best])


def _eligible(finished: Finished) -> np.ndarray:
    return np.asarray(finished.ok & ~(finished.violation > 0))
