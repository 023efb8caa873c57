"""Study: a space, a scale, an objective, a searcher, a scheduler and a store, held together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final, overload

from maquette.checkpoint import Checkpoints
from maquette.errors import StudyError
from maquette.events import Body
from maquette.executor.kinds import Kind, by_name
from maquette.executor.protocol import Executor, Function
from maquette.history import History, TrialRecord
from maquette.instances import Instances
from maquette.number import is_count
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.schedule.protocol import Scheduler
from maquette.search.protocol import Searcher
from maquette.space import Space
from maquette.store.protocol import Store
from maquette.study import interventions
from maquette.study.asktell import AskTell
from maquette.study.best import Best, find_best
from maquette.study.budget import Budget, recorded
from maquette.study.catch_up import catch_up
from maquette.study.front import Front, find_front
from maquette.study.importance import Importance, find_importance
from maquette.study.parts import asked, check_given, described, found, methods, opened
from maquette.study.placement import narrowing, place, shelved, warming
from maquette.study.program import refuse_other_program
from maquette.study.running import drive, run
from maquette.study.settings import Settings, Watch
from maquette.study.spec import from_spec, growth, refuse_changes, to_spec
from maquette.study.warm import named, warmed
from maquette.trial import State, Trial

if TYPE_CHECKING:
    import pandas as pd

    from maquette.scaling import DriftModel, Recipe
    from maquette.simulate import Plan


@final
class Study:
    """A search that can be run, interrupted, resumed, shared between machines, and transferred.

    Opening a name that the store already holds resumes it: same command, same study.

    Parameters
    ----------
    name
        The study's name in its store.
    space
        What may vary. Given again with a wider space, the study grows; narrowing is refused.
    fn
        ``fn(trial) -> float | mapping``. May be left out for ask and tell.
    store
        ``"sqlite:///maquette.db"``, ``"postgresql://..."``, a Store, or None: the environment's
        MAQUETTE_STORE, else in memory.
    objective
        ``"loss"``, ``"max:accuracy"`` or an Objective.
    searcher, scheduler
        A name, or an object such as ``mq.search.GP()`` or ``mq.schedule.ASHA(eta=3)``.
    fidelity
        Duration key to ``(least, full)``, for example ``{"steps": (27, 729)}``.
    scale, instances
        Axes with base and target values; what configs are measured on.
    seed
        Decides every proposal, together with the results that came before it.
    narrow
        Whether a space that is narrower than the stored one is meant; see `narrow`.
    checkpoints
        Where trials keep them, if not in their folders: ``"s3://bucket/runs"``, or `Checkpoints`.
    warm_start
        Earlier studies to learn from, read once: names, files, tables or `WarmStart`; or several.

    Raises
    ------
    SpaceError, ObjectiveError, ScaleError, StudyError
        If a part is malformed, or differs from what the stored study was created with.
    StoreError
        If the store cannot be opened.
    """

    def __init__(  # noqa: PLR0913 - the parts of a study, each with a default
        self,
        name: str,
        space: Space | Mapping[str, Any],
        fn: Function | None = None,
        *,
        store: str | os.PathLike[str] | Store | None = None,
        objective: str | Objective = "loss",
        searcher: str | Searcher = "auto",
        scheduler: str | Scheduler = "full",
        fidelity: Mapping[str, Any] | None = None,
        scale: Scale | None = None,
        instances: Instances | None = None,
        seed: int = 0,
        narrow: bool = False,
        checkpoints: Checkpoints | str | os.PathLike[str] | None = None,
        warm_start: Any = None,
    ) -> None:
        check_given(name, fn, store)
        warm_start = warming(warm_start)
        store, seed = place(store, seed, name, named(warm_start))
        problem = asked(space, objective, fidelity, scale, instances, seed)
        self.name, self.fn = name, fn
        self._checkpoints = shelved(checkpoints)
        self._given: tuple[Searcher, Scheduler] | None = methods(searcher, scheduler)
        self._store = opened(store)
        problem = warmed(problem, warm_start, self._store, name)
        spec = to_spec(problem, described(searcher), described(scheduler))
        row = self._store.create(name, spec)
        self._id = row.id
        self._problem = from_spec(row.spec)
        refuse_changes(name, self._problem, problem)
        self._history = History(self._problem)
        self._refresh()
        refuse_other_program(name, self._history, fn)
        self._write(growth(name, self._history, problem.space, narrow=narrowing(narrow)))
        self._turns: AskTell | None = None

    @classmethod
    def load(
        cls,
        name: str,
        store: str | os.PathLike[str] | Store | None = None,
        *,
        read_only: bool = True,
    ) -> Study:
        """Open a stored study to look at it, or, not read-only, to `stop`, `requeue` and `add`.

        StoreError if there is no such store or study; the nearest name is given.
        """
        self = cls.__new__(cls)
        self.name, self.fn = name, None
        self._store, row = found(name, place(store, 0)[0], read_only=read_only)
        self._id = row.id
        self._problem = from_spec(row.spec)
        self._history = History(self._problem)
        self._given, self._turns, self._checkpoints = None, None, Checkpoints()
        return self

    # --- looking ---------------------------------------------------------------------------

    @property
    def history(self) -> History:
        """The study's events and columns, as of now."""
        self._refresh()
        return self._history

    @property
    def trials(self) -> list[TrialRecord]:
        """Every trial, in order of proposal."""
        return list(self.history.trials)

    @property
    def space(self) -> Space:
        """The space in force."""
        return self.history.space

    @property
    def store(self) -> Store:
        """Where the study is kept."""
        return self._store

    @property
    def store_url(self) -> str:
        """Where the study is kept, without secrets."""
        return self._store.url

    def best(self) -> Best:
        """Return the best config, its denoised value and interval; StudyError if there is none.

        With several metrics no config is best in all of them: it is the knee of the `pareto` front.
        """
        return find_best(self.history)

    def pareto(self, reference: Mapping[str, float] | None = None) -> Front:
        """Return the feasible trials that no other beats in every metric, and their hypervolume.

        It is measured up to `reference`, metric to value; left out: a tenth of the front's range
        beyond its worst values. StudyError if no trial has a feasible result.
        """
        return find_front(self.history, reference)

    def importance(self, metric: str | None = None) -> Importance:
        """Return which settings, and pairs, a metric depends on (the primary one if left out)."""
        return find_importance(self.history, metric)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a trial: number, state, config, scale, metrics, cost (needs pandas)."""
        from maquette.study.export import to_pandas

        return to_pandas(self.history)

    def model(self) -> DriftModel:
        """Return the drift model fitted on the trials that ran to their end."""
        from maquette.study.evidence import fit_drift

        return fit_drift(self.name, self.history)

    def transfer(self, **at: float) -> Recipe:
        """Return the settings for the target, the loss to expect, intervals, and a verdict.

        Axes such as ``width=4096`` that are left out stand at the scale's target. StudyError if
        the study declares no scale or has no finished trial, ScaleError if an axis is unknown or
        a value is not a positive number.
        """
        from maquette.study.evidence import recipe

        return recipe(self.name, self.history, at)

    def _refresh(self) -> None:
        catch_up(self._history, self._store, self._id)

    @overload
    def ask(self, n: None = None) -> Trial: ...
    @overload
    def ask(self, n: int) -> list[Trial]: ...
    def ask(self, n: int | None = None) -> Trial | list[Trial]:
        """Return a trial to run, or `n` of them; tell what came of it with `tell`.

        StudyError if the scheduler has nothing to start until results are told.
        """
        if n is not None and not is_count(n):
            raise StudyError(f"ask for a whole number of trials, not {n!r}")
        trials = self._asktell().ask(self.history, 1 if n is None else n)
        return trials[0] if n is None else trials

    def tell(
        self,
        trial: Trial | int | Mapping[str, Any],
        result: Any = None,
        *,
        state: State | str | None = None,
        cost: float | None = None,
        seconds: float | None = None,
        scale: Mapping[str, float] | None = None,
    ) -> None:
        """Say what came of a trial.

        Parameters
        ----------
        trial
            What `ask` returned, its number, or a config that nobody asked for.
        result
            A number (the primary metric) or a mapping of metrics.
        state
            How it ended, if there is no result: ``"oom"``, ``"crashed"``, ``"diverged"``, ...
        cost, seconds
            What it cost, in the study's unit, and how long it took.
        scale
            The cell of a config that nobody asked for; left-out axes stand at the base.

        Raises
        ------
        StudyError
            If the trial is unknown or has ended, or the state cannot be told.
        ObjectiveError, SpaceError
            If the result is not a result, or the config not one of the space.
        """
        spent = (cost, seconds)
        self._asktell().tell(self._history, trial, result, state, spent, scale)

    def run(
        self,
        budget: Budget | int | Mapping[str, Any],
        workers: int = 1,
        executor: str | Kind | None = None,
        *,
        timeout: float | None = None,
        retries: int = 2,
        folder: str | os.PathLike[str] | None = None,
        watch: Watch | None = None,
    ) -> Best:
        """Run trials until the study's budget is spent; return the best config.

        Parameters
        ----------
        budget
            A total over the study's whole life: a number of trials, or a Budget.
        workers
            Jobs that run at once.
        executor
            ``"inline"``, ``"process"``, or an object such as ``mq.executor.Process(fresh=True)``.
        timeout, retries
            Seconds a job may take; how often one that was lost with its machine is started again.
        folder
            Where trials' folders are made; None: beside a SQLite store, else a temporary one.
        watch
            Called with the history and the running jobs as things happen.

        Raises
        ------
        Interrupted
            On Ctrl-C: the first drains, the second cancels and requeues, the third exits.
        StudyError
            If there is no function, or no trial ended with a result.
        """
        places = folder, self._checkpoints
        run(self, Budget.parse(budget), (workers, executor), (timeout, retries, watch), *places)
        return self.best()

    def drive(
        self, executor: Executor, settings: Settings, owner: str, workers: int, *, inline: bool
    ) -> str:
        """Run trials on an executor until the budget is spent; return why it ended.

        `run` for those who bring their own executor, which is closed in the end. With `inline`
        proposals are made in this thread.
        """
        body = recorded(settings.budget, workers)
        self._write([] if body == self.history.budget else [body])
        row = self._store.find(self.name)
        opened_ = (self._store, row, self._history, self._problem, self._methods)
        return drive(opened_, executor, settings, owner, inline=inline)

    def plan(
        self,
        budget: Budget | int | Mapping[str, Any],
        workers: int = 1,
        executor: str | Kind | None = None,
        *,
        timeout: float | None = None,
    ) -> Plan:
        """Return what `run` with these arguments would do and cost; nothing is run or written.

        Durations and costs are forecast from the jobs that have ended.
        """
        from maquette.simulate import plan

        name = type(by_name(executor, workers)).__name__.lower()
        return plan(self, Budget.parse(budget), (workers, name), self._methods, timeout)

    # --- acting on a study, from any process ------------------------------------------------

    def stop(self, trials: int | Sequence[int] | None = None, *, now: bool = False) -> None:
        """Ask all drivers at work on the study to stop, wherever they run; or stop some trials.

        A study drains: what runs ends, nothing new begins. A trial that waits or is paused ends at
        once, one that runs at its next report. With `now` what runs is cancelled; the trials of a
        study are put back in the queue. StudyError if there is no such trial, or it has ended.
        """
        self._write(interventions.stop(self.history, trials, now=now))

    def requeue(
        self,
        trials: int | Sequence[int] | None = None,
        *,
        states: str | Iterable[str] | None = None,
    ) -> list[int]:
        """Have the configs of ended trials tried again as new trials; return the old numbers.

        They run before anything else is proposed, even if the budget of trials is spent; the old
        trials stay as they ended. Without numbers: all that ended in one of `states` (crashed, oom
        and timeout unless given). StudyError if there is no such trial or state.
        """
        bodies = interventions.requeue(self.history, trials, states)
        self._write(bodies)
        return [body.of for body in bodies if body.of is not None]

    def add(self, config: Mapping[str, Any], *, scale: Mapping[str, float] | None = None) -> None:
        """Have a config tried next, even if the budget of trials is spent.

        Parameters left out take their defaults; without a `scale` the scheduler chooses the cell.
        SpaceError or ScaleError if the config or the cell is none of the study's.
        """
        self._write([interventions.add(self.history, config, scale)])

    def narrow(self, space: Space | Mapping[str, Any]) -> None:
        """Search in a narrower space; trials outside stay as evidence (StudyError if none can)."""
        self._write(growth(self.name, self.history, Space(space), narrow=True))

    def _write(self, bodies: Sequence[Body]) -> None:
        if bodies:
            self._store.append(self._id, bodies)
            self._refresh()

    @property
    def _methods(self) -> tuple[Searcher, Scheduler]:
        if self._given is None:
            raise StudyError(f"study {self.name!r} was opened to look at, not to run")
        return self._given

    def _asktell(self) -> AskTell:
        if self._turns is None:
            self._turns = AskTell(self._store, self._id, self._history, self._methods)
        return self._turns
