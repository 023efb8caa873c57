"""Shampoo, SOAP and K-FAC, written out over whole matrices and without blocks or momentum.

References
----------
Gupta et al. (2018). Shampoo. arXiv:1802.09568. Vyas et al. (2024). SOAP. arXiv:2409.11321.
Martens and Grosse (2015). Optimizing neural networks with Kronecker-factored approximate curvature.
    arXiv:1503.05671.
"""

from __future__ import annotations

import torch

TINY = 1e-5  # damping, relative to the largest eigenvalue (Shampoo, SOAP) or the mean one (K-FAC)


def power(a: torch.Tensor, exponent: float) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(a)
    values = values.clamp(min=0) + TINY * values[-1]
    return (vectors * values**exponent) @ vectors.T


class Shampoo(torch.optim.Optimizer):
    """L^-p G R^-p, of sums of G G^T and G^T G."""

    def __init__(self, params, lr=1e-3, weight_decay=0.0, p=0.25):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "p": p})

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            for w in g["params"]:
                s = self.state[w]
                s["l"] = s.get("l", 0) + w.grad @ w.grad.T
                s["r"] = s.get("r", 0) + w.grad.T @ w.grad
                w.sub_(g["lr"] * power(s["l"], -g["p"]) @ w.grad @ power(s["r"], -g["p"]))


class Soap(torch.optim.Optimizer):
    """Adam in the eigenbases of Shampoo's two factors."""

    def __init__(self, params, lr=1e-3, weight_decay=0.0, betas=(0.9, 0.95), eps=1e-12):
        super().__init__(
            params, {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps}
        )

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            b1, b2 = g["betas"]
            for w in g["params"]:
                s = self.state[w]
                t = s["t"] = s.get("t", 0) + 1
                for side, product in (("l", w.grad @ w.grad.T), ("r", w.grad.T @ w.grad)):
                    s[side] = s.get(side, torch.zeros_like(product)).lerp(product, 1 - b2)
                u, v = (torch.linalg.eigh(s[side])[1] for side in ("l", "r"))
                s["m"] = s.get("m", torch.zeros_like(w)).lerp(w.grad, 1 - b1)
                turned = (u.T @ w.grad @ v) ** 2
                s["v"] = s.get("v", torch.zeros_like(w)).lerp(turned, 1 - b2)
                m, second = u.T @ s["m"] @ v / (1 - b1**t), s["v"] / (1 - b2**t)
                w.sub_(g["lr"] * u @ (m / (second.sqrt() + g["eps"])) @ v.T)


class Kfac(torch.optim.Optimizer):
    """(B + d_B)^-1 G (A + d_A)^-1, damped relative to the mean of each factor's eigenvalues.

    `watch` keeps what it needs on the weights: inputs x and gradients d of the outputs, by row.
    """

    def __init__(self, params, lr=1e-3, weight_decay=0.0, damping=0.1):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "damping": damping})

    @staticmethod
    def watch(layers) -> None:
        for m in layers:

            def look(m, x, y):
                m.weight.x = x[0].detach().flatten(0, -2)
                if y.requires_grad:
                    y.register_hook(lambda d: setattr(m.weight, "d", d.detach().flatten(0, -2)))

            m.register_forward_hook(look)

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            for w in g["params"]:
                n = len(w.x)
                a, b = w.x.T @ w.x / n, n * w.d.T @ w.d  # the loss is a mean over rows
                for f in (a, b):
                    f.diagonal().add_(g["damping"] * f.diagonal().mean())
                w.sub_(g["lr"] * torch.linalg.solve(b, torch.linalg.solve(a, w.grad.T).T))
