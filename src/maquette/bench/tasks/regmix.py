"""RegMix: the mixture of 17 domains of the Pile that a language model is trained on.

Settings are weights; a mixture is weights divided by their sum. The loss on web text (Pile-CC) of
512 + 256 mixtures at 1M parameters, 256 at 60M and 64 at 1B was measured [1]; between them stands a
thin-plate spline of the square roots of the shares [2]. The larger models' is that of 1M, corrected
by a line and a spline of what remains. Seconds grow with the size: 60 s at 1M.

Held out: fitted to the 512, the spline predicts the other 256 to 0.048 (root mean square; they
spread by 0.32) with a rank correlation of 0.991. A test measures it again.

References
----------
.. [1] Q. Liu, X. Zheng, N. Muennighoff, et al. RegMix: Data Mixture as Regression for Language
       Model Pre-training. ICLR, 2025. arXiv:2407.01492.
.. [2] J. Duchon. Splines minimizing rotation-invariant semi-norms in Sobolev spaces. 1977.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.known import known
from maquette.bench.task import Array, Card, Measured, Rows, Task, one_report
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.space import Float, Space

Surface = Callable[[Array], Array]

DOMAINS = (
    *("arxiv", "freelaw", "nih_exporter", "pubmed_central", "wikipedia_en", "dm_mathematics"),
    *("github", "philpapers", "stackexchange", "enron_emails", "gutenberg_pg_19", "pile_cc"),
    *("ubuntu_irc", "europarl", "hackernews", "pubmed_abstracts", "uspto_backgrounds"),
)
_LOSS = "metric/the_pile_pile_cc_val_loss"
_RUNS = {1e6: (("train", "1m"), ("test", "1m")), 6e7: (("test", "60m"),), 1e9: (("test", "1B"),)}
_SIZES = {"1m": 1e6, "60m": 6e7, "1b": 1e9}
_CARD = Card(
    source="github.com/sail-sg/regmix, data/*.csv (b004d3a)",
    licence="MIT",
    references=("arXiv:2407.01492",),
    files=tuple(
        f"regmix/{part}_{what}_{size}.csv"
        for runs in _RUNS.values()
        for part, size in runs
        for what in ("mixture", "pile_loss")
    ),
)
_SPACE = Space({domain: Float(1e-3, 1.0, log=True) for domain in DOMAINS})
_SMOOTHING = 0.01


def runs(part: str, size: str) -> tuple[Array, Array]:
    """Return mixtures (n, 17), which sum to one, and their losses (n,).

    Parameters
    ----------
    part, size
        ``"train"`` or ``"test"``; ``"1m"``, ``"60m"`` or ``"1B"``.

    Raises
    ------
    BenchmarkError
        If the data are missing, truncated or changed.
    """
    table = files.columns(f"regmix/{part}_mixture_{size}.csv", "regmix")
    shares = np.stack([table[f"train_the_pile_{domain}"] for domain in DOMAINS], axis=1)
    losses = files.columns(f"regmix/{part}_pile_loss_{size}.csv", "regmix")[_LOSS]
    return shares / shares.sum(axis=1, keepdims=True), losses


def spline(shares: Array, losses: Array) -> Surface:
    """Fit the loss as a function of shares (n, 17)."""
    from scipy.interpolate import RBFInterpolator

    fitted = RBFInterpolator(np.sqrt(shares), losses, smoothing=_SMOOTHING, degree=1)
    return lambda wanted: np.asarray(fitted(np.sqrt(wanted)))


def corrected(smaller: Surface, shares: Array, losses: Array) -> Surface:
    """Fit the loss of a larger model: a line in that of the smaller one, and what remains."""
    slope, offset = np.polyfit(smaller(shares), losses, 1)
    rest = spline(shares, losses - slope * smaller(shares) - offset)
    return lambda wanted: np.asarray(slope * smaller(wanted) + offset + rest(wanted))


def surfaces() -> dict[float, Surface]:
    """Return the loss at each size (parameters) as a function of shares (n, 17)."""
    found: dict[float, Surface] = {}
    for size, files_of in _RUNS.items():
        pairs = [runs(*run) for run in files_of]
        shares = np.concatenate([s for s, _ in pairs])
        losses = np.concatenate([y for _, y in pairs])
        below = list(found.values())
        found[size] = corrected(below[-1], shares, losses) if below else spline(shares, losses)
    return found


def _load(task: str) -> Task:
    every = surfaces()
    scaled = task == "transfer"
    target = _SIZES["1b" if scaled else task]

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del rows
        size = scale["params"] if scale else target
        nearest = min(every, key=lambda known: abs(np.log(known / size)))
        losses = every[nearest](values / values.sum(axis=1, keepdims=True))
        return one_report({"loss": losses}, np.full(len(losses), 60.0 * nearest / 1e6))

    best = known(f"regmix/{next(name for name, size in _SIZES.items() if size == target)}")
    return Task(
        name=f"regmix/{task}",
        about="mixture of 17 domains: loss on web text of a model of "
        + ("1B parameters, from smaller ones" if scaled else f"{target:.0e} parameters"),
        space=_SPACE,
        objective=Objective("loss"),
        card=_CARD,
        backend=measure,
        optimum=best.optimum,
        median=best.median,
        scale=Scale([{"params": 1e6}, {"params": 6e7}], params=(1e6, 1e9)) if scaled else None,
    )


FAMILY = Family(
    "regmix",
    "mixtures of the Pile for language models of 1M, 60M and 1B parameters",
    "surrogate",
    _CARD,
    (*_SIZES, "transfer"),
    _load,
)
