"""``maquette bench``: compare tuners on benchmark tasks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer

from maquette.cli.fetch import fetch
from maquette.cli.options import AsJson
from maquette.cli.output import emit, note, table
from maquette.cli.values import names, numbers, positive, whole

if TYPE_CHECKING:
    from maquette.bench.compare import Suite, Summary

_OPTIMIZERS = "random,sobol,gp,auto"

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="What `bench run --out` wrote.")]

AtOnce = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole(1),
        help="Virtual workers: trials that run at once. Default: as the suite says.",
    ),
]

Limits = Annotated[
    str | None,
    typer.Option(
        metavar="trials=N,seconds=S,cost=C",
        help="Of one run; seconds are simulated. Default: as the suite says.",
    ),
]

Again = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="Forget what these have done there, and run them anew."),
]


def run(
    suite: Annotated[
        str,
        typer.Option(metavar="SUITE|FILE.toml", help="What is compared on; see `bench list`."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where results are kept.")],
    optimizers: Annotated[
        str,
        typer.Option(
            metavar="NAME,...", help="gp, gp+asha (with a scheduler), optuna/tpe (another tuner)."
        ),
    ] = _OPTIMIZERS,
    seeds: Annotated[
        int, typer.Option(metavar="N", parser=whole(1), help="Seeds 0 to N - 1, paired.")
    ] = 20,
    workers: Annotated[
        int,
        typer.Option(metavar="N", parser=whole(1), help="Processes; results do not depend on it."),
    ] = 1,
    at_once: AtOnce = None,
    budget: Limits = None,
    patience: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", parser=positive, help="After which a silent tuner counts as hung."
        ),
    ] = 600.0,
    retry: Annotated[
        bool, typer.Option("--retry", help="Run again what crashed, hung or was not installed.")
    ] = False,
    again: Again = None,
    as_json: AsJson = False,
) -> None:
    """Compare optimizers on a suite of tasks, in simulated time; the same command resumes.

    More optimizers and more seeds may be added to a folder later. A tuner that crashes, hangs, or
    is not installed is recorded as such, and the others go on.

    Example: maquette bench run --suite quick --optimizers random,gp --seeds 3 --out first-look
    """
    wanted = names(optimizers, "--optimizers")
    limits = numbers(budget, "--budget", ("trials", "seconds", "cost")) if budget else {}
    from maquette.bench import compare
    from maquette.bench.compare import plan as plans
    from maquette.bench.compare import results
    from maquette.bench.compare.optimizers import read

    chosen = _suite(suite, limits, at_once)
    plan = compare.Plan(chosen, read(wanted), seeds)
    if again is not None:
        anew = [o.name for o in read(names(again, "--again"))]
        plans.enter(out, plan)
        note(f"forgot {results.drop(out, anew)} results of {', '.join(anew)}")
    done = compare.run(
        plan, out, processes=workers, patience=patience, retry=retry, progress=_Progress()
    )
    _tell(done, out, as_json)


def _suite(name: str, limits: Mapping[str, float], at_once: int | None) -> Suite:
    from dataclasses import replace

    from maquette.bench.compare.suite import load

    found = load(name)
    found = replace(found, budget=limits) if limits else found
    return found if at_once is None else replace(found, workers=at_once)


def _tell(done: Summary, out: Path, as_json: bool) -> None:
    for name, why in done.messages.items():
        note(f"{name}: {why}")
    share = 1 - done.optimizer_seconds / done.seconds if done.seconds else 0.0
    document = {
        "out": str(out),
        "ran": done.ran,
        "kept": done.kept,
        "states": dict(done.states),
        "messages": dict(done.messages),
        "seconds": done.seconds,
        "optimizer_seconds": done.optimizer_seconds,
    }
    said = ", ".join(f"{n} {state}" for state, n in sorted(done.states.items())) or "nothing to do"
    text = f"{done.ran} cells run ({said}), {done.kept} were there already."
    if done.ran:
        text += f" {done.seconds:.0f} s, {100 * share:.1f} % of it not the optimizers' own."
    emit(document, f"{text}\nNext: maquette bench report {out}", as_json)


def report(folder: Folder, as_json: AsJson = False) -> None:
    """Write report.html, report.md and the packed results into a folder of results.

    Example: maquette bench report first-look
    """
    from maquette.bench.report import write

    text, paths = write(folder)
    emit({"files": [str(p) for p in paths]}, text, as_json)
    note("wrote " + ", ".join(str(p) for p in paths))


def subset(
    folder: Folder,
    size: Annotated[int, typer.Option(metavar="N", parser=whole(1), help="Tasks to choose.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Write the suite there, for `bench run --suite`."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", parser=whole(0), help="Of the choice.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Choose a few tasks that stand for all tasks of a comparison, by star discrepancy.

    Run a few fast optimizers on all tasks first; slow ones are then compared on the chosen ones.

    Example: maquette bench subset first-look --size 1 --out small.toml
    """
    from maquette.bench.subset import as_toml, choose
    from maquette.files import write_whole

    found = choose(folder, size, name=out.stem if out else "subset", seed=seed)
    if out is not None:
        write_whole(out, as_toml(found.suite))
        note(f"wrote {out}")
    section = found.section
    rows = [
        (task, *section.by_task[section.tasks.index(task)].tolist()) for task in found.suite.tasks
    ]
    middle = found.random[len(found.random) // 2]
    said = (
        f"Star discrepancy to all {len(section.tasks)} tasks: {found.discrepancy:.3f}; that of "
        f"random choices is {middle:.3f} (median), higher in {100 * found.beaten:.0f} % of them."
    )
    document = {
        "tasks": list(found.suite.tasks),
        "of": len(section.tasks),
        "discrepancy": found.discrepancy,
        "random": {"median": middle, "higher": found.beaten},
    }
    emit(document, f"{table(('regret', *section.optimizers), rows)}\n\n{said}", as_json)


def listing(as_json: AsJson = False) -> None:
    """List the suites, tasks and optimizers that can be compared.

    Example: maquette bench list
    """
    from maquette.bench import catalogue
    from maquette.bench.compare import optimizers, suite
    from maquette.bench.peers import environment
    from maquette.bench.peers.catalogue import PEERS

    suites = [suite.load(name) for name in suite.names()]
    families = [catalogue.family(name) for name in catalogue.FAMILIES]
    states = {name: environment.read(peer).get("state", "absent") for name, peer in PEERS.items()}
    ours = [name for name in optimizers.names() if "/" not in name]
    document = {
        "suites": [s.to_json() for s in suites],
        "tasks": {f.name: list(f.names) for f in families},
        "optimizers": {"maquette": ours, **{n: list(p.optimizers) for n, p in PEERS.items()}},
        "peers": states,
    }
    rows = [(s.name, len(s.tasks), s.about) for s in suites]
    tasks = [(f.name, len(f.tasks), f.about) for f in families]
    peers = [("maquette", "", ", ".join(ours))]
    peers += [(n, states[n], ", ".join(p.optimizers)) for n, p in PEERS.items()]
    text = "\n\n".join(
        (
            table(("suite", "tasks", ""), rows),
            table(("family", "tasks", ""), tasks),
            table(("tuner", "", "optimizers"), peers),
        )
    )
    emit(document, text, as_json)


def install(
    peers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PEER ...]", help="For example optuna; left out: all of them."),
    ] = None,
    constraint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="pip constraints, for example torch==2.13.0 where that is a CPU build.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Install other tuners, each into an environment of its own.

    They are kept in MAQUETTE_PEERS, else in the user's cache. What cannot be installed is recorded
    with the reason, and the others go on.

    Example: maquette bench peers install optuna hyperopt
    """
    from maquette.bench.peers import environment
    from maquette.bench.peers.catalogue import PEERS, peer
    from maquette.errors import BenchmarkError

    chosen = [peer(name) for name in peers or PEERS]
    found: dict[str, Mapping[str, Any]] = {}
    for one in chosen:
        note(f"installing {one.name} ...")
        try:
            found[one.name] = environment.install(one, constraint)
        except BenchmarkError as error:
            found[one.name] = {"state": "failed", "reason": error.problems[0]}
    rows = [(n, s["state"], s.get("reason", "")) for n, s in found.items()]
    emit(found, table(("peer", "", ""), rows), as_json)
    if any(s["state"] == "failed" for s in found.values()):
        raise typer.Exit(1)


def group() -> typer.Typer:
    """Return the verbs of ``maquette bench``."""
    bench = _app("Compare tuners on benchmark tasks.")
    bench.command("run")(run)
    bench.command("report")(report)
    bench.command("subset")(subset)
    bench.command("list")(listing)
    bench.command("fetch")(fetch)
    peers = _app("Other tuners to compare with.")
    peers.command("install")(install)
    # A callback keeps typer from folding a group of one verb into the verb.
    peers.callback()(_peers)
    bench.add_typer(peers, name="peers")
    return bench


def _app(text: str) -> typer.Typer:
    return typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)


def _peers() -> None:
    """Other tuners to compare with."""


@final
class _Progress:
    """A line on stderr every few seconds, and for whatever does not end well."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said = 0.0
        self._first: int | None = None

    def __call__(self, done: int, total: int, result: Mapping[str, Any]) -> None:
        first = self._first = done - 1 if self._first is None else self._first
        now = time.monotonic() - self._began
        if result["state"] == "done" and now - self._said < 5.0 and done < total:
            return
        self._said = now
        left = now / (done - first) * (total - done)
        what = f"{result['task']} {result['optimizer']} seed {result['seed']}: {result['state']}"
        note(f"{done}/{total} cells, about {left / 60:.0f} min left; {what}")
