"""The Step Law form with a Chinchilla floor, refitted on rows at hand: one fit, or a thousand.

    log lr* = a + b log N + c log D,    log bs* = d + e log D,    L = E + A N^-alpha + B D^-beta

Optima and losses are those of the best run of each cell, as Step Law (arXiv:2503.04715) took them.
Bootstrap: the rows of each cell are drawn again with replacement. All refits are solved at once:
least squares of the optima are one product; the floor, linear in E, A, B for given exponents, is
solved on a grid of exponents with no coefficient below zero, squared errors relative to the loss.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import final

import numpy as np

from steplaw import cells

EXPONENTS = np.linspace(0.05, 1.2, 24)


@final
@dataclass(frozen=True, slots=True)
class Refits:
    """R refits: weights of log lr (3, R) and log bs (2, R), floors by exponents and coefficients.

    Attributes
    ----------
    exponents, coefficients
        alpha and beta (2, R); E, A, B (3, R), N and D in the units of their geometric means.
    middle
        Mean log N and log D.
    """

    lr: np.ndarray
    bs: np.ndarray
    exponents: np.ndarray
    coefficients: np.ndarray
    middle: np.ndarray

    def at(self, n: float, d: float) -> dict[str, np.ndarray]:
        """Log lr, log bs and log loss of every refit at one cell, each (R,)."""
        z = np.log([n, d]) - self.middle
        e, a, b = self.coefficients
        loss = e + a * np.exp(-self.exponents[0] * z[0]) + b * np.exp(-self.exponents[1] * z[1])
        lr = self.lr[0] + z[0] * self.lr[1] + z[1] * self.lr[2]
        return {"lr": lr, "bs": self.bs[0] + z[1] * self.bs[1], "loss": np.log(loss)}


def refit(rows: dict, refits: int = 0, seed: int = 0) -> Refits:
    """Fit the rows as they are (``refits`` 0: one fit), or so many bootstrap draws of them."""
    rng, known = np.random.default_rng(seed), cells(rows)
    at = np.log(np.asarray(known))
    middle = at.mean(0)
    z = at - middle
    lr, bs, loss = (np.empty((len(known), max(refits, 1))) for _ in range(3))
    for i, (n, d) in enumerate(known):
        here = np.flatnonzero((rows["N"] == n) & (rows["D"] == d))
        picked = here[None] if not refits else rng.choice(here, (refits, here.size))
        best = picked[np.arange(len(picked)), np.argmin(rows["loss"][picked], 1)]
        lr[i], bs[i], loss[i] = (
            np.log(rows["lr"][best]),
            np.log(rows["bs"][best]),
            rows["loss"][best],
        )
    one = np.ones((len(known), 1))
    return Refits(
        np.linalg.lstsq(np.concatenate([one, z], 1), lr, rcond=None)[0],
        np.linalg.lstsq(np.concatenate([one, z[:, 1:]], 1), bs, rcond=None)[0],
        *_floors(z, loss),
        middle,
    )


def _floors(z: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exponents (2, R), coefficients (3, R) of least squared relative error, losses (C, R)."""
    count = loss.shape[1]
    least, exponents = np.full(count, np.inf), np.zeros((2, count))
    coefficients = np.zeros((3, count))
    scale = 1.0 / loss.mean(1, keepdims=True)
    for alpha, beta in itertools.product(EXPONENTS, EXPONENTS):
        x = np.stack([np.ones(len(z)), np.exp(-alpha * z[:, 0]), np.exp(-beta * z[:, 1])], 1)
        for kept in ([0, 1, 2], [0, 1], [0, 2], [1, 2], [0]):
            weights = np.linalg.pinv(x[:, kept] * scale) @ (loss * scale)
            error = ((x[:, kept] @ weights - loss) ** 2 * scale**2).sum(0)
            better = (weights >= 0).all(0) & (error < least - 1e-15)
            least = np.where(better, error, least)
            exponents[:, better] = np.array([[alpha], [beta]])
            coefficients[:, better] = 0.0
            coefficients[np.ix_(kept, np.flatnonzero(better))] = weights[:, better]
    return exponents, coefficients
