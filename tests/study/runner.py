"""A driver in a process of its own: python -m tests.study.runner URL FUNCTION BUDGET WORKERS.

BUDGET is a number of trials, or for example ``cost=300``.
"""

import sys

import maquette as mq
from tests.study import programs


def main() -> int:
    url, function, budget, workers = sys.argv[1:5]
    study = mq.Study(
        "s",
        {"x": mq.Float(0.0, 1.0)},
        getattr(programs, function),
        store=url,
        searcher="random",
        objective=mq.Objective("loss", cost="flops" if budget.startswith("cost") else None),
    )
    print("ready", flush=True)
    kind, _, amount = budget.rpartition("=")
    limit = mq.Budget(**{kind: float(amount)}) if kind else int(amount)
    try:
        study.run(limit, workers=int(workers), executor="process")
    except mq.Interrupted:
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
