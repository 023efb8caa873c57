"""A study to edit: tune a small network, and predict the settings of one 16 times wider.

    maquette run study.py --budget trials=60      # the same command again resumes
    maquette best example
    maquette transfer example --at width=512

Replace `train` with your own training; it may use any framework.
"""

import numpy as np

import maquette as mq

# What may vary. `log=True` searches over orders of magnitude; the defaults are tried first.
space = mq.Space(
    {
        "lr": mq.Float(3e-3, 1.0, log=True, default=0.03),
        "weight_decay": mq.Float(1e-3, 1.0, log=True, default=0.01),
    }
)

# Trials run at small widths, the recipe is for a large one: width=(base, target).
scale = mq.Scale([{"width": 32}, {"width": 64}, {"width": 128}], width=(32, 512))

data = np.random.default_rng(0)
INPUTS = data.standard_normal((2048, 16))
OUTPUTS = np.sin(2 * INPUTS @ data.standard_normal((16, 2)) / 4).sum(1)
OUTPUTS += 0.3 * data.standard_normal(2048)


def train(trial):
    """Train a network of `trial.scale["width"]` hidden units; return its loss on unseen data."""
    rng = np.random.default_rng(trial.seed)
    width, steps, seen = int(trial.scale["width"]), 300, 1024
    w1 = rng.standard_normal((16, width)) / 4
    w2 = rng.standard_normal(width) / width
    m1, m2 = np.zeros_like(w1), np.zeros_like(w2)
    for step in range(steps):
        rate = trial["lr"] * min(1.0, 2 * (1 - step / steps))  # constant, then down to zero
        rows = rng.integers(0, seen, 64)
        hidden = np.tanh(INPUTS[rows] @ w1)
        error = (hidden @ w2 - OUTPUTS[rows]) / len(rows)
        m1 = 0.9 * m1 + INPUTS[rows].T @ (np.outer(error, w2) * (1 - hidden**2))
        m2 = 0.9 * m2 + hidden.T @ error
        w1 = w1 - rate * (m1 + trial["weight_decay"] * w1)
        w2 = w2 - rate * (m2 + trial["weight_decay"] * w2)
        if step % 50 == 49:
            loss = float(np.sum(error**2) * len(rows))
            trial.report(step + 1, loss=loss)
            if loss > 10:
                return float("nan")  # diverged: no observation, but evidence
    unseen = np.tanh(INPUTS[seen:] @ w1) @ w2 - OUTPUTS[seen:]
    return {"loss": float(np.mean(unseen**2))}  # other metrics may stand beside it


# Kept in maquette.db here, unless --store or MAQUETTE_STORE says otherwise.
study = mq.Study("example", space, train, objective="loss", scale=scale, seed=0)
