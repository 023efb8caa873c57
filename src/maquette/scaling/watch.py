"""Is the large run on course? Its loss curve beside those of the proxies, within a few percent.

Progress is the share of a run's tokens. At every progress the log loss of sound proxies is a line
in the logs of their scale, whose value at the target, with the covariance of what is left, is the
*band*. A wrong setting bends the curve in a way of its own: proxies that were run with it on
purpose show how. With y the target's log losses so far, in bins of progress, m the line's value and
C its covariance, the hypotheses are

    on course   y ~ N(m, C)
    cause k     y ~ N(m + D_k, C + S_k + a^2 D_k D_k^T)
    offset      y ~ N(m, C + u^2 h h^T),   h = 1 or exp(-m)
    unknown     y ~ N(m, C + u^2 K)

where D_k and S_k are the mean and spread over proxies of what cause k does, and a says that it may
be weaker or stronger here. A loss that is a constant times the expected one (bits for nats, a sum
for a mean), or a constant more (another dataset or tokenizer), is off by u h; K is smooth in the
bins. Bayes' rule gives the probability of each.

References
----------
Bergsma et al. (2025). Scaling with collapse: efficient and predictable training of LLM families.
    arXiv:2509.25087 (loss curves as a diagnostic).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, final

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import chi2

from maquette.errors import DataError
from maquette.number import Z90
from maquette.scaling.band import (
    AMPLITUDE,
    Curve,
    binned,
    edges_up_to,
    expected_at,
    problems_of,
)
from maquette.scaling.coordinates import Array
from maquette.scaling.recipe import Recipe

__all__ = ["ADVICE", "DATA", "Curve", "Look", "Watch"]

SOUND = 0.5  # prior probability of being on course
OFFSET = 0.05  # of a loss that is off by a constant all along
UNKNOWN = 0.05  # and of something that was not simulated
STRANGE = 0.5  # u: log loss by which a run may be off without a simulated cause
SMOOTH = 2.0  # bins over which what is unknown changes
RIVAL = 0.2  # probability from which the second likeliest cause is named too
ALARM, RARE = 0.05, 0.005  # probability of being on course, and p-value, below which it is off

DATA = "another dataset, tokenizer or loss scale"

# What to do, by cause.
ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "learning rate too high": "stop; check the parameter groups against the recipe, and start "
        "again, or go back to the last checkpoint, with the recipe's rate",
        "learning rate too low": "check the schedule's peak and the parameter groups; raise it to "
        "the recipe's at once: what was lost so far is little",
        "weight decay wrong": "check whether the optimizer multiplies it by the learning rate",
        "warm-up wrong": "check the schedule's length in steps: it may count batches, or tokens",
        "data order broken": "check the shuffling and the sampler's seed on every rank",
        DATA: "compare data, tokenizer and how the loss is averaged with the proxies', on one "
        "batch at initialisation",
    }
)
_ELSE = "compare the run's settings, data and code with those of the proxies"


@final
@dataclass(frozen=True, slots=True)
class Look:
    """How a run stands.

    Parameters
    ----------
    state
        ``on course``, ``above the band``, ``below the band``, or ``off course`` (within the band
        everywhere, but not of its shape).
    progress
        Of the last loss.
    loss, band
        Mean of the losses in the last bin, and the 90 % interval of what was expected there.
    probability
        Of being on course.
    causes
        Probabilities of what is wrong, given that something is; the likeliest first.
    text, advice
        A sentence each; no advice for a run on course.
    """

    state: str
    progress: float
    loss: float
    band: tuple[float, float]
    probability: float
    causes: Mapping[str, float]
    text: str
    advice: str = ""

    @property
    def ok(self) -> bool:
        """Whether the run is on course."""
        return self.state == "on course"

    def __str__(self) -> str:
        return f"{self.text}; {self.advice}" if self.advice else self.text


@final
@dataclass(slots=True)
class Watch:
    """Compares a run with what its proxies foretell, while it runs.

    In any trainer's loop::

        watch = mq.Watch(recipe, curves)
        for step, batch in enumerate(batches):
            ...
            look = watch(tokens / total, loss.item())
            if not look.ok: print(look)

    Parameters
    ----------
    recipe
        Of the target: its scale, and how sure its loss is. Or the document that
        `Recipe.to_json` returns.
    curves
        Of proxies, two or more of them sound; with causes where faults shall be named. The same
        schedule, as a share of the run, as the target has.

    Raises
    ------
    DataError
        The curves are malformed, or too few are sound.
    """

    recipe: Recipe | Mapping[str, Any]
    curves: Sequence[Curve]
    _seen: list[tuple[float, float]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        """Check the curves; every problem at once."""
        problems = [p for i, c in enumerate(self.curves) for p in problems_of(i, c)]
        sound = [c for c in self.curves if not c.cause]
        if len(sound) < 2:
            problems.append(f"{len(sound)} sound curves; a band needs two or more")
        if problems:
            raise DataError(
                problems,
                hint="a curve is a finished proxy's training loss: trial.report(step, loss=...)",
            )

    def __call__(self, progress: float, loss: float) -> Look:
        """Take the run's next loss, and say how the run stands."""
        self._seen.append((progress, loss))
        return self.look([p for p, _ in self._seen], [y for _, y in self._seen])

    def band(self, progress: Sequence[float]) -> tuple[Array, Array, Array]:
        """Return the expected loss (n,) with its 90 % interval, at some progress."""
        at = np.asarray(progress, float)
        edges = np.concatenate([[0.0], (at[1:] + at[:-1]) / 2, [at[-1] * (1 + 1e-9)]])
        expected = expected_at(self.curves, self._scale(), self._doubt(), edges)
        spread = Z90 * np.sqrt(np.diag(expected.covariance))
        m = expected.mean
        return np.exp(m), np.exp(m - spread), np.exp(m + spread)

    def look(self, progress: Sequence[float], loss: Sequence[float]) -> Look:
        """Say how a run stands from its losses so far.

        Parameters
        ----------
        progress, loss
            Shares of the run's tokens, and losses there; a loss that is not finite is a divergence.

        Raises
        ------
        DataError
            They are of different lengths, or empty.
        """
        p, y = np.asarray(progress, float), np.asarray(loss, float)
        if len(p) != len(y) or not len(p):
            raise DataError("progress and loss must be of one length, one or more")
        if not np.all(np.isfinite(y)) or np.any(y <= 0):
            return _diverged(float(p[-1]))
        edges = edges_up_to(self.curves, float(p[-1]))
        seen = binned(p, np.log(y), edges)
        kept = np.isfinite(seen)
        if not kept.any():
            return _early(float(p[-1]), float(y[-1]))
        expected = expected_at(self.curves, self._scale(), self._doubt(), edges)
        mean, covariance = expected.mean[kept], expected.covariance[np.ix_(kept, kept)]
        off = seen[kept] - mean
        log_p = {"": math.log(SOUND) + _log_normal(off, covariance)}
        share = (1 - SOUND - OFFSET - UNKNOWN) / max(len(expected.causes), 1)
        for name, (d, spread) in expected.causes.items():
            here, extra = d[kept], spread[np.ix_(kept, kept)]
            if off @ np.linalg.solve(covariance, here) <= 0:
                continue  # stronger or weaker, but never the other way round
            wider = covariance + extra + AMPLITUDE**2 * np.outer(here, here)
            log_p[name] = math.log(share) + _log_normal(off - here, wider)
        log_p[DATA] = math.log(OFFSET) + _log_offset(off, mean, covariance)
        lag = np.subtract.outer(np.arange(len(off)), np.arange(len(off)))
        wide = covariance + STRANGE**2 * np.exp(-((lag / SMOOTH) ** 2) / 2)
        log_p["unknown"] = math.log(UNKNOWN) + _log_normal(off, wide)
        unusual = float(chi2.sf(off @ np.linalg.solve(covariance, off), len(off)))
        return _judge(float(p[-1]), seen[kept], mean, covariance, (log_p, unusual))

    def _scale(self) -> Mapping[str, float]:
        at: Any = self.recipe["at"] if isinstance(self.recipe, Mapping) else self.recipe.at
        return {str(k): float(v) for k, v in at.items()}

    def _doubt(self) -> float:
        """Standard deviation of the recipe's log loss."""
        if isinstance(self.recipe, Mapping):
            low, high = self.recipe["loss"]["interval"]
        else:
            low, high = self.recipe.loss.low, self.recipe.loss.high
        return math.log(high / low) / (2 * Z90) if 0 < low < high else 0.0


def _log_normal(off: Array, covariance: Array) -> float:
    factor = cho_factor(covariance, lower=True)
    size = 2 * float(np.sum(np.log(np.diag(factor[0]))))
    return -0.5 * (float(off @ cho_solve(factor, off)) + size + len(off) * math.log(2 * math.pi))


def _log_offset(off: Array, mean: Array, covariance: Array) -> float:
    """Log density under a loss that is a constant multiple of, or above or below, the expected."""
    added = np.exp(mean[0] - mean)  # of one size with a factor where the run begins
    shapes = (np.ones(len(off)), added)
    return float(
        np.logaddexp.reduce(
            [_log_normal(off, covariance + STRANGE**2 * np.outer(h, h)) for h in shapes]
        )
        - math.log(len(shapes))
    )


def _judge(
    progress: float,
    seen: Array,
    mean: Array,
    covariance: Array,
    evidence: tuple[Mapping[str, float], float],
) -> Look:
    """From the hypotheses' log probabilities to a sentence."""
    log_p, unusual = evidence
    top = max(log_p.values())
    weight = {k: math.exp(v - top) for k, v in log_p.items()}
    total = sum(weight.values())
    on_course = weight.pop("") / total
    wrong = sum(weight.values())
    ordered = sorted(weight.items(), key=lambda kv: -kv[1])
    causes = {k: v / wrong if wrong else 0.0 for k, v in ordered}
    spread = Z90 * math.sqrt(covariance[-1, -1])
    band = (math.exp(mean[-1] - spread), math.exp(mean[-1] + spread))
    loss = math.exp(seen[-1])
    where = f"at {100 * progress:.2g} % of the tokens"
    expected = f"loss {loss:.4g}, expected {band[0]:.4g} to {band[1]:.4g}"
    if on_course >= ALARM or unusual >= RARE:
        text = f"on course {where}: {expected}"
        return Look("on course", progress, loss, band, on_course, causes, text)
    z = (seen - mean) / np.sqrt(np.diag(covariance))
    strongest = float(z[int(np.argmax(np.abs(z)))])
    state = "off course"
    if abs(strongest) > Z90:
        state = "above the band" if strongest > 0 else "below the band"
    name, p = next(iter(causes.items()))
    if name == "unknown":
        text = f"{state} {where}: {expected}; not like any fault that was simulated"
        return Look(state, progress, loss, band, on_course, causes, text, _ELSE)
    if name == DATA:
        times, more = math.exp(float(np.mean(seen - mean))), np.exp(seen) - np.exp(mean)
        expected += f"; all along {times:.3g} times it, or {float(np.mean(more)):+.3g}"
    text = f"{state} {where}: {name}, {100 * p:.0f} %"
    others = [(other, q) for other, q in list(causes.items())[1:2] if q >= RIVAL]
    text += "".join(f", or {other}, {100 * q:.0f} %" for other, q in others) + f" ({expected})"
    return Look(state, progress, loss, band, on_course, causes, text, ADVICE.get(name, _ELSE))


def _diverged(progress: float) -> Look:
    return Look(
        "above the band",
        progress,
        math.inf,
        (math.nan, math.nan),
        0.0,
        {"learning rate too high": 1.0},
        f"diverged at {100 * progress:.2g} % of the tokens",
        ADVICE["learning rate too high"],
    )


def _early(progress: float, loss: float) -> Look:
    text = f"too early to say, at {100 * progress:.2g} % of the tokens"
    return Look("on course", progress, loss, (0.0, math.inf), 1.0, {}, text)
