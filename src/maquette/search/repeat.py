"""When it pays to measure a good config again, instead of a new one.

What a study recommends is the config of the lowest posterior mean. A measurement is worth how much
lower it is expected to bring that mean, the knowledge gradient [1]: with posterior means m and
covariances C over the best configs known, and one more measurement of the p-th with noise s^2,

    m' = m + C_p / sqrt(C_pp + s^2) Z,    KG(p) = min m - E min m'.

A new config is repeated measurement's rival: its KG counts itself among the configs. Where there is
no noise a repetition teaches nothing, and KG is 0.

References
----------
.. [1] P. Frazier, W. Powell and S. Dayanik. The Knowledge-Gradient Policy for Correlated Normal
       Beliefs. INFORMS Journal on Computing 21, 2009.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.surrogate.gp import Points
from maquette.surrogate.protocol import Predictive

Array = NDArray[np.float64]

# Below this standard deviation, in standard units, what looks like noise may be the model's misfit.
LEAST_NOISE = 0.05
# A new config teaches about more than itself, which its knowledge gradient does not count.
PAYS = 3.0
NODES = 64


def gains(posterior: Predictive, known: Points, new: Points) -> tuple[Array, float]:
    """Return what it is worth to measure each of m known configs again, (m,), or a new one.

    In the posterior's standard units.
    """
    mean, C = posterior.joint(known.joined(new))
    noise, m = posterior.noise, len(known)
    slope = C / np.sqrt(np.maximum(np.diag(C), 0.0) + noise)  # column p: what measuring p does
    z, weight = np.polynomial.hermite_e.hermegauss(NODES)
    weight = weight / weight.sum()
    now = float(mean[:m].min())
    again = np.array([(mean[:m, None] + slope[:m, [p]] * z).min(axis=0) @ weight for p in range(m)])
    fresh = float((mean[:, None] + slope[:, [m]] * z).min(axis=0) @ weight)
    return np.maximum(now - again, 0.0), max(now - fresh, 0.0)


def noisy(posterior: Predictive, finished: Finished) -> bool:
    """Whether repeated measurements differ, as far as is known.

    Where configs were measured more than once, whether any differed; else by what the model makes
    of the scatter.
    """
    if posterior.noise < LEAST_NOISE**2:
        return False
    ok = finished.ok
    rows = np.concatenate([np.where(finished.active, finished.X, -1.0), finished.scale], axis=1)[ok]
    _, group, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(count > 1)
    if not len(repeated):
        return True
    loss, group = finished.loss[ok], group.reshape(-1)
    return any(np.ptp(loss[group == g]) > 0 for g in repeated)
