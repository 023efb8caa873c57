"""The ten-dimensional mixed space of these benchmarks, for Maquette and for Optuna."""

from __future__ import annotations

import sqlite3

import maquette as mq

SPACE = {
    **{f"x{i}": mq.Float(0, 1) for i in range(4)},
    "lr": mq.Float(1e-5, 1e-1, log=True),
    "wd": mq.Float(1e-6, 1e-1, log=True),
    "layers": mq.Int(1, 10),
    "width": mq.Int(1, 100, log=True),
    "act": mq.Choice(["relu", "gelu", "silu"]),
    "norm": mq.Choice(["pre", "post"]),
}


def distributions():
    """Return the same space as Optuna declares it."""
    from optuna.distributions import CategoricalDistribution as Cat
    from optuna.distributions import FloatDistribution as Float
    from optuna.distributions import IntDistribution as Int

    return {
        **{f"x{i}": Float(0, 1) for i in range(4)},
        "lr": Float(1e-5, 1e-1, log=True),
        "wd": Float(1e-6, 1e-1, log=True),
        "layers": Int(1, 10),
        "width": Int(1, 100, log=True),
        "act": Cat(["relu", "gelu", "silu"]),
        "norm": Cat(["pre", "post"]),
    }


def fill_maquette(path, n):
    """Make a store of n finished random trials, by asking and telling."""
    study = mq.Study("s", SPACE, store=path, searcher="random")
    while (k := len(study.history.trials)) < n:
        for trial in study.ask(min(1000, n - k)):
            study.tell(trial, trial["x0"])
    study.store.close()


def fill_optuna(path, n):
    """Make an SQLite store of n finished random trials; all but one are copied with SQL.

    Through Optuna itself, this would take hours.
    """
    import numpy as np
    import optuna

    study = optuna.create_study(study_name="s", storage=f"sqlite:///{path}")
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    space = distributions()
    study.tell(study.ask(space), 0.5)
    rng = np.random.default_rng(0)
    with sqlite3.connect(path) as db:
        (first,) = db.execute("SELECT trial_id FROM trials").fetchone()
        params = db.execute("SELECT param_name, distribution_json FROM trial_params").fetchall()
        rows = range(1, n)
        db.executemany(
            "INSERT INTO trials (trial_id, number, study_id, state, datetime_start,"
            " datetime_complete) SELECT ?, ?, study_id, state, datetime_start, datetime_complete"
            " FROM trials WHERE trial_id = ?",
            ((first + i, i, first) for i in rows),
        )
        db.executemany(
            "INSERT INTO trial_values (trial_id, objective, value, value_type)"
            " VALUES (?, 0, ?, 'FINITE')",
            ((first + i, v) for i, v in zip(rows, rng.random(n).tolist(), strict=False)),
        )
        for name, text in params:
            given = space[name]
            low, high = getattr(given, "low", 0), getattr(given, "high", 1)
            values = rng.uniform(low, high, n)
            if type(given).__name__ != "FloatDistribution":
                values = np.floor(values)
            db.executemany(
                "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)"
                " VALUES (?, ?, ?, ?)",
                ((first + i, name, v, text) for i, v in zip(rows, values.tolist(), strict=False)),
            )
    db.close()
