"""MaquetteSampler: any searcher as an `optuna.samplers.BaseSampler`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from maquette.fidelity import Fidelity
from maquette.integrations.optuna.distributions import Coding, coding
from maquette.integrations.optuna.evidence import Evidence
from maquette.integrations.optuna.spaces import Declared, Learned
from maquette.rng import generator
from maquette.search import GP, TPE, Auto, Genetic, Grid, Random, Sobol, by_name
from maquette.search.protocol import Searcher
from maquette.space import Space
from maquette.trial import Config

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    Study = optuna.Study

# They search several metrics together, or need no metric.
_SEVERAL = (Auto, GP, TPE, Genetic, Grid, Random, Sobol)

# So many questions (studies, and parameters that are asked for alone) keep their models.
_KEPT = 16


@final
class MaquetteSampler(BaseSampler):
    """Lets a searcher propose the parameters of an Optuna study's trials.

    The parameters that trials have in common are proposed together, and so are those that exist
    only in some branches of the program: the conditions are learned from the trials. Each proposal
    is a function of the seed, the trial's number and the trials that were there; threads and
    processes need no seeds of their own.

    Parameters
    ----------
    searcher
        A name such as ``"auto"``, ``"gp"`` or ``"tpe"``, or an object of `maquette.search`.
    seed
        Decides every proposal, together with the trials before it. None: from the system.
    space
        The space, if it is known: its names are proposed together from the first trial on, with
        its conditions, constraints and priors. Ranges must be those that the program asks for.
    constraints_func
        Takes a finished trial and returns numbers, feasible at zero or less, as for Optuna's own
        samplers.

    Raises
    ------
    StudyError
        If there is no such searcher.
    SpaceError
        If the space is malformed.

    Notes
    -----
    A study of several directions is searched by ``auto``, ``gp``, ``tpe``, ``genetic``, ``grid``,
    ``sobol`` and ``random``; other searchers refuse it with ValueError, as Optuna's own samplers
    for one objective do, rather than optimise its first value.
    """

    def __init__(
        self,
        searcher: str | Searcher = "auto",
        *,
        seed: int | None = None,
        space: Space | Mapping[str, Any] | None = None,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
    ) -> None:
        self._searcher = by_name(searcher)
        self._seed = _fresh_seed() if seed is None else int(seed) % 2**32
        self._space = space if isinstance(space, Space) or space is None else Space(space)
        self._constraints_func = constraints_func
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._spaces: dict[str, Declared | Learned] = {}
        self._kept: dict[tuple[str, ...], Evidence] = {}
        self._proposed: dict[str, dict[int, Config]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is learned from the trials, and learned again."""
        names = ("_searcher", "_seed", "_space", "_constraints_func")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __str__(self) -> str:
        return f"MaquetteSampler({type(self._searcher).__name__})"

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are proposed together."""
        self._refuse_several(study)
        with self._lock:
            space = self._space_of(study)
            space.learn(study.get_trials(deepcopy=False))
            return space.distributions()

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values for the parameters of the search space that exist in the proposal."""
        self._refuse_several(study)
        if not search_space:
            return {}
        with self._lock:
            config, codings = self._suggest(study, trial, search_space, ())
            self._proposed.setdefault(study.study_name, {})[trial.number] = config
            return {name: codings[name].from_space(value) for name, value in config.items()}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value for a parameter that is asked for alone.

        It is drawn at random until there are trials that had it.
        """
        self._refuse_several(study)
        name = param_name
        ended = (TrialState.COMPLETE,)
        seen = any(name in t.params for t in study.get_trials(deepcopy=False, states=ended))
        if not seen or param_distribution.single():
            one = coding(param_distribution)
            rng = generator(self._seed, trial.number, *name.encode())
            return one.from_space(Space({name: one.parameter}).sample(rng)[0][name])
        with self._lock:
            alone = {name: param_distribution}
            config, codings = self._suggest(study, trial, alone, tuple(name.encode()))
            return codings[name].from_space(config[name])

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Store the constraints of a finished trial where Optuna keeps them."""
        self._proposed.get(study.study_name, {}).pop(trial.number, None)
        if self._constraints_func is not None:
            from optuna.samplers._base import _process_constraints_after_trial

            _process_constraints_after_trial(self._constraints_func, study, trial, state)

    def _refuse_several(self, study: Study) -> None:
        if not isinstance(self._searcher, _SEVERAL):
            self._raise_error_if_multi_objective(study)

    def _suggest(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: Mapping[str, BaseDistribution],
        place: tuple[int, ...],
    ) -> tuple[Config, Mapping[str, Coding]]:
        trials = study.get_trials(deepcopy=False)
        space = self._space_of(study)
        space.learn(trials)
        question = space.question(search_space, tuple(study.directions), self._seed)
        key = (study.study_name, *search_space)
        evidence = self._kept.pop(key, None)
        if evidence is None or evidence.question != question:
            evidence = Evidence(question)
        self._kept[key] = evidence  # the last one used is the last one dropped
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        known = {} if place else self._proposed.get(study.study_name, {})
        history = evidence.take(trials, known, trial.number)
        rng = generator(self._seed, trial.number, *place)
        found = self._searcher.suggest(history, Fidelity(), 1, rng)
        if not found:  # the grid is complete: this trial is the last one, drawn at random
            if not place:
                with contextlib.suppress(RuntimeError):  # outside of `optimize` there is no end
                    study.stop()
            found = Random().suggest(history, Fidelity(), 1, rng)
        return found[0].config, question.codings

    def _space_of(self, study: Study) -> Declared | Learned:
        if study.study_name not in self._spaces:
            made = Learned() if self._space is None else Declared(self._space)
            self._spaces[study.study_name] = made
        return self._spaces[study.study_name]


def _fresh_seed() -> int:
    import numpy as np

    return int(np.random.SeedSequence().generate_state(1)[0])
