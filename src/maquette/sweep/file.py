"""Sweep files: one TOML document that holds a study whose function is any program."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from maquette.errors import SweepError, nearest
from maquette.executor import Kind
from maquette.fidelity import Duration
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.schedule import Full, Scheduler
from maquette.search import Auto, Searcher
from maquette.space import Space
from maquette.study import Budget, Study
from maquette.sweep import command, resources, sections
from maquette.sweep.program import OWN_NAMES, Program
from maquette.sweep.resources import Given
from maquette.sweep.sections import Mistakes
from maquette.sweep.template import names, used

KEYS = (
    "name",
    "space",
    "scale",
    "objective",
    "fidelity",
    "instances",
    "trial",
    "searcher",
    "scheduler",
    "seed",
    "budget",
    "workers",
    "executor",
    "store",
    "checkpoints",
    "warm_start",
)
_HINT = "`maquette init DIR --sweep` writes a working sweep.toml"


@final
@dataclass(frozen=True)
class Sweep:
    """What a sweep file says, checked.

    Parameters
    ----------
    name, space, objective, scale, duration, instances, searcher, scheduler, seed, store,
    checkpoints, warm_start
        As `Study` takes them.
    program
        What runs.
    budget
        Totals; None: not said.
    workers
        Programs that run at once.
    executor
        Where they run; None: under processes on this machine.
    timeout
        Seconds that one trial may take; None: no limit.
    notes
        What a person should know before it runs.
    """

    name: str
    space: Space
    program: Program
    objective: Objective
    scale: Scale | None = None
    duration: Duration = field(default_factory=Duration)
    instances: Instances | None = None
    searcher: Searcher | None = None
    scheduler: Scheduler | None = None
    seed: int = 0
    store: str | None = None
    checkpoints: str | None = None
    warm_start: tuple[str, ...] = ()
    budget: Budget | None = None
    workers: int = 1
    executor: Kind | None = None
    timeout: float | None = None
    notes: tuple[str, ...] = ()

    def study(self) -> Study:
        """Open the study; errors as of `Study`."""
        return Study(
            self.name,
            self.space,
            self.program,
            store=self.store,
            objective=self.objective,
            searcher=self.searcher or Auto(),
            scheduler=self.scheduler or Full(),
            fidelity=self.duration.to_json(),
            scale=self.scale,
            instances=self.instances,
            seed=self.seed,
            checkpoints=self.checkpoints,
            warm_start=self.warm_start,
        )


def read_sweep(path: str | Path, words: Sequence[str] = (), given: Given | None = None) -> Sweep:
    """Read a sweep file.

    Parameters
    ----------
    path
        A TOML file.
    words
        The command to run, with placeholders; replaces the file's own.
    given
        What replaces the file's own words.

    Raises
    ------
    SweepError
        If there is no such file, or it is not TOML; or naming everything else that is wrong, by
        key path and with the nearest valid name.
    """
    given = given or Given()
    document = _load(Path(path))
    mistakes = Mistakes()
    for key in document:
        if key not in KEYS:
            mistakes.add(key, f"unknown key.{nearest(key, KEYS)}")
    objective = sections.read_objective(document.get("objective"), mistakes)
    trial = mistakes.table(document.get("trial"), "trial", command.KEYS)
    declared = _declared(document, mistakes)
    known = [*declared, *OWN_NAMES]
    space = sections.read_space(document.get("space"), mistakes)
    program = command.read_program(trial, words, objective, known, mistakes)
    parts: dict[str, Any] = {
        "scale": sections.read_scale(document.get("scale"), mistakes),
        "duration": sections.read_duration(document.get("fidelity"), mistakes),
        "instances": sections.read_instances(document.get("instances"), mistakes),
        "searcher": sections.read_searcher(document.get("searcher", "auto"), mistakes),
        "scheduler": sections.read_scheduler(document.get("scheduler", "full"), mistakes),
        "seed": mistakes.whole(document.get("seed", 0), "seed", 0),
        "store": mistakes.text(document.get("store"), "store"),
        "checkpoints": mistakes.text(document.get("checkpoints"), "checkpoints"),
        "warm_start": _texts(document.get("warm_start", []), mistakes),
        "budget": sections.read_budget(document.get("budget"), mistakes),
        "workers": given.workers or mistakes.whole(document.get("workers", 1), "workers", 1),
        "executor": sections.read_executor(_executor(document, given.executor), mistakes),
        "timeout": given.timeout or mistakes.seconds(trial.get("timeout"), "trial.timeout"),
    }
    name = mistakes.text(document.get("name"), "name") or Path(path).stem
    if program.words:
        told = {n: where for n, where in declared.items() if not where.startswith("fidelity.")}
        if parts["instances"] is not None:
            told["instance"] = "instances"
        mistakes.found += command.idle_names(program, told)
    duration, scheduler = parts["duration"], parts["scheduler"]
    program = _with_steps(program, duration, trial)
    program, parts["executor"] = resources.with_resources(
        program, parts["executor"], trial, given, mistakes
    )
    mistakes.found += _halving_problems(program, duration, scheduler)
    mistakes.found += _sharing_problems(program, parts["workers"])
    if mistakes.found or space is None or objective is None:
        raise SweepError([f"{path}: {text}" for text in mistakes.found], hint=_HINT)
    return Sweep(name, space, program, objective, **parts, notes=resources.notes(program))


def _load(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        folder = path.parent if path.parent.is_dir() else Path()
        others = [str(p) for p in sorted(folder.glob("*.toml"))]
        raise SweepError(f"there is no file {str(path)!r}." + nearest(str(path), others)) from None
    except OSError as error:
        raise SweepError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SweepError(f"{path} is not TOML: {error}", hint=_HINT) from None


def _declared(document: Mapping[str, Any], mistakes: Mistakes) -> dict[str, str]:
    """Return every name that the file gives a value, with its key path; a name has one meaning."""
    found: dict[str, str] = {}
    for section, others in (("space", "constraints"), ("scale", "proxies"), ("fidelity", "")):
        table = document.get(section)
        for name in table if isinstance(table, Mapping) else ():
            where = f"{section}.{name}"
            if name == others:
                continue
            if name in OWN_NAMES:
                mistakes.add(where, f"the name is taken by the placeholder {{{name}}}")
            elif name in found:
                mistakes.add(where, f"the name is taken by {found[name]}")
            else:
                found[name] = where
    return found


def _with_steps(program: Program, duration: Duration, trial: Mapping[str, Any]) -> Program:
    """Let measurements be counted by the duration's key too: ``steps``, or one ``step``."""
    if duration.key is None or "step" in trial:
        return program
    keys = (duration.key, duration.key.removesuffix("s"), *program.form.step)
    return replace(program, form=replace(program.form, step=tuple(dict.fromkeys(keys))))


def _texts(value: Any, mistakes: Mistakes) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if isinstance(items, list) and all(isinstance(item, str) for item in items):
        return tuple(items)
    mistakes.add("warm_start", f"names of studies or files, as a list of texts, not {value!r}")
    return ()


def _executor(document: Mapping[str, Any], given: str | None) -> Any:
    own = document.get("executor")
    named = own.get("name") if isinstance(own, Mapping) else own
    return own if given in (None, named) else given


def _halving_problems(
    program: Program, duration: Duration, scheduler: Scheduler | None
) -> list[str]:
    """Say what early stopping lacks."""
    if scheduler is None or isinstance(scheduler, Full):
        return []
    problems = []
    if not duration.axes:
        problems.append("scheduler: stopping early needs [fidelity], for example steps = [10, 100]")
    elif getattr(scheduler, "mode", "") == "promote":
        told = used([*program.words, *program.environment.values()])
        if not told & {duration.key, "config"}:
            problems.append(
                f"scheduler.mode: trials that are promoted run to {{{duration.key}}}, which stands "
                "nowhere in the command"
            )
    elif not program.form.live:
        problems.append(
            "scheduler: stopping early needs measurements on the way: JSON lines with a step, or "
            "a pattern with a group (?P<step>[0-9]+)"
        )
    return problems


def _sharing_problems(program: Program, workers: int) -> list[str]:
    """Say what programs that run side by side would take from each other."""
    path = program.form.file
    problems = resources.gpu_problems(program, workers)
    if path and workers > 1 and not {"folder", "trial"} & set(names(path)):
        problems.append(
            f"trial.result.file: {path!r} is the same file for all {workers} workers; put "
            "{folder} or {trial} into it"
        )
    return problems
