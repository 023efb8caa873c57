"""A driver in a process of its own: python -m tests.study.runner URL FUNCTION BUDGET WORKERS."""

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
    )
    print("ready", flush=True)
    try:
        study.run(int(budget), workers=int(workers), executor="process")
    except mq.Interrupted:
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
