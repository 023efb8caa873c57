"""Synthetic tables of runs whose truth is known, from the drift model's family and from others.

A world gives the noise-free loss of settings (log coordinates, (n, p)) at scales (log ratios,
(n, a)). Four kinds of world: the model's own; another floor; another valley; and a caricature of
stochastic gradient noise, whose optimum is no power law at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

KINDS = ("own", "floor", "valley", "physics")


@dataclass(frozen=True)
class World:
    kind: str
    p: int
    a: int
    loss: Callable[[np.ndarray, np.ndarray], np.ndarray]
    centre: np.ndarray  # (p,), roughly the optimum at s = 0
    drift: np.ndarray  # (a, p), roughly
    edge: float  # distance above the optimum of setting 0 at which runs diverge
    noise: float  # relative

    def best(self, s: np.ndarray) -> tuple[np.ndarray, float]:
        """Optimum (p,) and loss there, by coordinate search on a shrinking stencil."""
        x = self.centre + s @ self.drift
        value, step = float(self.loss(x[None], s[None])[0]), 1.0
        moves = np.concatenate([np.eye(self.p), -np.eye(self.p)])
        if self.p > 1:
            i, j = np.triu_indices(self.p, 1)
            both = [a * np.eye(self.p)[i] + b * np.eye(self.p)[j] for a in (1, -1) for b in (1, -1)]
            moves = np.concatenate([moves, *both])
        while step > 1e-4:
            points = x + step * moves
            values = self.loss(points, np.repeat(s[None], len(points), 0))
            k = int(np.argmin(values))
            if values[k] < value - 1e-13:
                x, value = points[k], float(values[k])
            else:
                step /= 2
        return x, value

    def excess(self, x: np.ndarray, s: np.ndarray) -> float:
        return float(self.loss(x[None], s[None])[0]) / self.best(s)[1] - 1.0

    def table(self, x: np.ndarray, s: np.ndarray, rng: np.random.Generator) -> dict[str, list]:
        """Runs as columns x0.., s0.., loss, with a diverged run's loss NaN."""
        y = self.loss(x, s) * np.exp(self.noise * rng.standard_t(5, len(x)))
        off = x[:, 0] - self.centre[0] - s @ self.drift[:, 0]
        y = np.where(off + 0.2 * rng.standard_normal(len(x)) > self.edge, math.nan, y)
        out = {f"x{j}": list(np.exp(x[:, j])) for j in range(self.p)}
        out |= {f"s{i}": list(1e6 * np.exp(s[:, i])) for i in range(self.a)}
        return out | {"loss": list(y)}


def world(kind: str, rng: np.random.Generator, p: int = 2, a: int = 2, raw: float = 1.0) -> World:
    """Draw a world; ``raw`` scales drift (1: raw coordinates, 0.1: a good parametrization)."""
    centre = np.concatenate([[rng.uniform(-8, -5)], rng.uniform(-3, 5, p - 1)])
    noise = float(np.exp(rng.uniform(math.log(4e-4), math.log(3e-3))))
    edge = float(rng.choice([math.inf, rng.uniform(1.5, 3.5)]))
    drift = raw * 0.4 * rng.standard_normal((a, p))
    if kind == "physics":
        return _physics(centre, rng, p, a, raw, noise, edge)
    e = rng.uniform(1.0, 2.5)
    amp = np.exp(rng.uniform(math.log(0.2), math.log(1.5), a))
    alpha = rng.uniform(0.15, 0.5, a)
    kappa = np.exp(rng.normal(math.log(0.02), 0.9, p))
    kappa[0] = np.exp(rng.normal(math.log(0.03), 0.6))
    k = rng.normal(0.3, 0.4, p)
    k[0] = abs(rng.normal(0.8, 0.3))
    curv = 0.08 * rng.standard_normal((a, p))
    q = rng.normal(0, 0.25, (p, p))
    q = (q + q.T) / 2
    np.fill_diagonal(q, 0.0)
    power = rng.uniform(0.35, 0.8)
    wave = rng.uniform(0.0, 0.15)
    bend = 0.04 * raw * rng.standard_normal((a, p))

    def floor(s: np.ndarray) -> np.ndarray:
        terms = (amp * np.exp(-alpha * s)).sum(1)
        if kind == "floor":
            return e + amp.sum() * (terms / amp.sum()) ** power * (
                1 + 0.01 * wave * np.sin(2 * s.sum(1))
            )
        return e + terms

    def loss(x: np.ndarray, s: np.ndarray) -> np.ndarray:
        u = x - centre - s @ drift
        kap = kappa * np.exp(s @ curv)
        if kind == "valley":
            u = u - (s**2) @ bend
            # Round at the bottom, linear or exponential far away, unlike the model's wells.
            left, right = 2.0 * (np.sqrt(1 + u**2 / 2) - 1) * 2, 0.5 * u**2 + 0.25 * np.abs(u) ** 3
            v = (kap * np.where(u < 0, left * 0.5, right)).sum(1)
            t = np.tanh(u)
            v = v + 0.3 * np.einsum("np,pq,nq->n", t * np.sqrt(kap), q, t * np.sqrt(kap))
            return floor(s) * (1 + v)
        v = np.clip(k * u, -50, 30)
        k2 = np.where(np.abs(k) < 1e-3, 1e-3, k)
        g = (np.expm1(v) - v) / k2**2
        r = np.sign(u) * np.sqrt(2 * kap * np.maximum(g, 0))
        w = r @ (np.eye(p) + q)
        v = 0.5 * (w**2).sum(1)
        if kind == "floor":
            return floor(s) + 2.5 * v  # additive, not relative
        return floor(s) * np.exp(v)

    return World(kind, p, a, loss, centre, drift, edge, noise)


def _physics(
    centre: np.ndarray,
    rng: np.random.Generator,
    p: int,
    a: int,
    raw: float,
    noise: float,
    edge: float,
) -> World:
    """Excess from too few steps, from gradient noise (lr / batch) and from curvature (lr).

    Setting 0 is a rate, setting 1 a batch, others are indifferent wells; axis 0 is size, the last
    axis is data.
    """
    e, amp = rng.uniform(1.2, 2.2), rng.uniform(0.3, 1.0, a)
    alpha = rng.uniform(0.2, 0.4, a)
    size = -raw * rng.uniform(0.1, 0.7)
    data = rng.uniform(0.5, 0.9)
    c = rng.uniform(0.01, 0.04, 3)
    kap = rng.uniform(0.005, 0.03, p)
    drift = np.zeros((a, p))
    drift[0, 0] = size
    if p > 1:
        drift[-1, 1] = 0.5 * data

    def loss(x: np.ndarray, s: np.ndarray) -> np.ndarray:
        lr = x[:, 0] - centre[0] - size * s[:, 0]
        b = x[:, 1] - centre[1] if p > 1 else np.zeros(len(x))
        d = s[:, -1] * data if a > 1 else 0.0
        # progress: lr per token falls with batch; noise: lr / batch, less with more data; sharpness
        slow = c[0] * np.exp(-(lr - 0.5 * b + 0.5 * d) * 0.9)
        noisy = c[1] * np.exp((lr - 0.7 * b) * 0.8)
        sharp = c[2] * np.exp(1.4 * lr - 0.1 * d) + c[2] * np.exp(0.8 * b - 0.8 * d)
        rest = 0.5 * (kap[2:] * (x[:, 2:] - centre[2:]) ** 2).sum(1)
        return (
            e
            + (amp * np.exp(-alpha * s)).sum(1)
            + np.minimum(2.0 * (slow + noisy + sharp + rest), 8.0)
        )

    return World("physics", p, a, loss, centre, drift, edge, noise)


def grid(w: World, scales: np.ndarray, points: int, rng: np.random.Generator) -> tuple:
    """A full grid of factor-of-sqrt(2) steps around the optimum of each scale."""
    xs, ss = [], []
    for s in scales:
        best = w.best(s)[0]
        axes = [
            best[j]
            + 0.35 * (np.arange(points) - points // 2 + rng.integers(-1, 2))
            + 0.2 * rng.uniform(-1, 1)
            for j in range(w.p)
        ]
        mesh = np.stack([m.ravel() for m in np.meshgrid(*axes)], 1)
        xs.append(mesh)
        ss.append(np.repeat(s[None], len(mesh), 0))
    return np.concatenate(xs), np.concatenate(ss)


def scattered(
    w: World, scales: np.ndarray, runs: int, rng: np.random.Generator, width: float = 4.0
) -> tuple:
    """Random settings in one box for all scales, as random search on proxies gives."""
    s = scales[rng.integers(0, len(scales), runs)]
    middle = np.mean([w.best(v)[0] for v in scales], 0) + 0.4 * rng.standard_normal(w.p)
    x = middle + rng.uniform(-width / 2, width / 2, (runs, w.p))
    return x, s


def halved(w: World, scales: np.ndarray, runs: int, rng: np.random.Generator) -> tuple:
    """Random settings of which the better third is repeated nearby: what halving leaves."""
    x, s = scattered(w, scales, 2 * runs // 3, rng)
    y = w.loss(x, s)
    rank = np.argsort(y / np.asarray([w.best(v)[1] for v in s]))[: max(1, runs // 3)]
    more = x[rank] + 0.35 * rng.standard_normal((len(rank), w.p))
    return np.concatenate([x, more]), np.concatenate([s, s[rank]])


def lattice(
    a: int, sizes: tuple[int, ...] = (3, 2, 2), steps: tuple[float, ...] = (0.69, 0.69, 0.69)
) -> np.ndarray:
    """Scales on a lattice: factor-of-two steps by default."""
    axes = [np.arange(sizes[i]) * steps[i] for i in range(a)]
    return np.stack([m.ravel() for m in np.meshgrid(*axes)], 1)
