"""What every searcher must do, as plain functions: give each a way to make fresh instances.

A check raises AssertionError if the searcher breaks the contract of `maquette.search.Searcher`::

    @pytest.mark.parametrize("check", SEARCHER_CHECKS)
    def test_contract(check):
        check(MySearcher)

and `check_improves(MySearcher, known)` for each of `maquette.testing.problems.KNOWN` asks that a
searcher that learns beats random search.
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np

from maquette.events import Proposed, SpaceChanged
from maquette.history import History
from maquette.search.protocol import Searcher
from maquette.search.random import Random
from maquette.testing.expect import expect
from maquette.testing.problems import (
    AWKWARD,
    NARROW,
    NESTED,
    SMALL,
    WIDE,
    WIDER,
    Known,
    nested,
    problem,
)
from maquette.testing.script import Script, ask, search
from maquette.trial import Job, State, Suggestion

Make = Callable[[], Searcher]


def check_valid(make: Make) -> None:
    """Every config belongs to its space: conditions, constraints, bounds, types."""
    for name, space in AWKWARD.items():
        script = search(problem(space), make(), lambda config: float(len(config)), 16)
        tried = [space.key(trial.config) for trial in script.history.trials]
        done = len(tried) == 16 or _exhausted(script, make(), tried)
        expect(done, f"{name}: not every call returned a config")
        for trial in script.history.trials:
            space.check(trial.config)


def check_bounds(make: Make) -> None:
    """An optimum in a corner is approached from inside."""
    for sign in (1.0, -1.0):
        known = search(problem(AWKWARD["tight"]), make(), lambda c, s=sign: s * c["x"], 20)  # type: ignore[misc]
        for trial in known.history.trials:
            AWKWARD["tight"].check(trial.config)


def check_number(make: Make) -> None:
    """As many configs come back as were asked for, each with an origin and finite reasons."""
    script = _eventful(make(), 14)
    for n in (1, 3, 7):
        suggestions = ask(script.history, make(), n=n)
        expect(len(suggestions) == n, f"{len(suggestions)} suggestions instead of {n}")
        for suggestion in suggestions:
            expect(bool(suggestion.origin), "a suggestion does not say where it comes from")
            finite = all(math.isfinite(v) for v in suggestion.why.values())
            expect(finite, f"a reason is not a finite number: {dict(suggestion.why)}")


def check_leaves_history_alone(make: Make) -> None:
    """Asking changes nothing: neither the columns nor the number of trials."""
    script = _eventful(make(), 12)
    history = script.history
    before = (history.last, len(history.trials), history.finished.X.copy())
    ask(history, make(), n=2)
    same = np.array_equal(before[2], history.finished.X)
    expect(same and before[:2] == (history.last, len(history.trials)), "the history was changed")


def check_cold_equals_warm(make: Make) -> None:
    """A fresh instance at a random prefix suggests what a used one does, bit for bit."""
    warm = make()
    script = _eventful(warm, 42)
    rng = np.random.default_rng(5)
    for n in sorted(rng.integers(0, len(script.events) + 1, size=5).tolist()):
        history = script.prefix(n)
        _same(ask(history, make(), n=2), ask(history, warm, n=2), f"after {n} events")


def check_two_drivers(make: Make) -> None:
    """Two instances that take turns propose what one alone would."""
    drivers = _Turns(make(), make())
    together, alone = _eventful(drivers, 18), _eventful(make(), 18)
    for a, b in zip(together.history.trials, alone.history.trials, strict=True):
        expect(a.config == b.config, f"trial {a.number}: {a.config} by turns, {b.config} alone")


def check_several_histories(make: Make) -> None:
    """One instance may serve several studies: they do not disturb each other."""
    shared = make()
    one, two = _eventful(make(), 12, seed=1), _eventful(make(), 12, seed=2)
    ask(one.history, shared)
    _same(ask(two.history, shared), ask(two.history, make()), "after another study")


def check_replay(make: Make) -> None:
    """A cold instance given the events up to a proposal's basis returns what was proposed."""
    script = _eventful(make(), 40)
    bodies = [event.body for event in script.events]
    proposed = [b for b in bodies if isinstance(b, Proposed) and b.config is not None]
    for body in proposed[::5]:
        again = ask(script.prefix(body.basis), make())[0]
        expect(again.config == body.config, f"trial {body.trial}: {body.config} was {again.config}")


def check_space_changes(make: Make) -> None:
    """A space is widened, then narrowed: proposals lie inside, and cold still equals warm."""
    warm = make()
    script = Script(problem(SMALL))
    for space in (SMALL, WIDE, NARROW, WIDER):
        if space != script.history.space:
            script.write(SpaceChanged(space.to_json()))
        for _ in range(4):
            for a, b in zip(
                ask(script.history, make(), n=2), ask(script.history, warm, n=2), strict=True
            ):
                expect(a.config == b.config, f"{dict(a.config)} cold, {dict(b.config)} warm")
                space.check(a.config)
            loss = (math.log10(b.config["lr"]) + 2) ** 2 + b.config.get("momentum", 0.0)
            script.end(script.propose(Job(b)), loss)
    bodies = [event.body for event in script.events]
    for body in [b for b in bodies if isinstance(b, Proposed)][::7]:
        again = ask(script.prefix(body.basis), make(), n=2)[1]
        expect(again.config == body.config, f"trial {body.trial}: {body.config} was {again.config}")


def check_failures(make: Make) -> None:
    """Failed, stopped and lost trials, and losses that are not numbers, disturb nothing."""
    script, searcher = Script(problem(NESTED)), make()
    states = (State.DIVERGED, State.OOM, State.CRASHED, State.TIMEOUT, State.STOPPED)
    for i in range(20):
        suggestion = ask(script.history, searcher)[0]
        NESTED.check(suggestion.config)
        job = script.propose(Job(suggestion))
        if i % 3 == 0:
            script.end(job, nested(suggestion.config))
        elif i % 3 == 1:
            script.end(job, math.nan if i % 2 else math.inf, State.DONE)
        else:
            script.end(job, state=states[i // 3 % len(states)])


def check_nothing_works(make: Make) -> None:
    """When every trial fails, the search goes on."""
    known = search(problem(NESTED), make(), lambda _: math.nan, 16)
    expect(len(known.history.trials) == 16, "the search ended")


def check_odd_losses(make: Make) -> None:
    """Constant losses, huge ones, and ones that differ by rounding alone."""
    scales: tuple[Callable[[float], float], ...] = (
        lambda _: 1.0,
        lambda y: 1e12 * y,
        lambda y: 1e-12 * y,
        lambda y: 7.0 + 1e-15 * y,
        lambda y: math.exp(min(60.0, 20 * y)),
    )
    for scale in scales:
        script = search(problem(NESTED), make(), lambda c, f=scale: f(nested(c)), 14)  # type: ignore[misc]
        NESTED.check(ask(script.history, make())[0].config)


def check_duplicates(make: Make) -> None:
    """The same config measured again and again, with different results."""
    script = Script(problem(NESTED))
    for i in range(14):
        script.try_config(NESTED.defaults(), loss=1.0 + 0.1 * (i % 3))
    NESTED.check(ask(script.history, make())[0].config)


def check_few_results(make: Make) -> None:
    """No trial, one pending, one finished, many pending and none finished."""
    script = Script(problem(NESTED))
    for i in range(16):
        NESTED.check(ask(script.history, make())[0].config)
        script.try_config(NESTED.sample(np.random.default_rng(i))[0])
    script.end(0, 1.0)
    NESTED.check(ask(script.history, make())[0].config)


def check_pending(make: Make) -> None:
    """What is pending is not proposed again, within a batch or across calls."""
    script = _eventful(make(), 12)
    batch = ask(script.history, make(), n=6)
    for suggestion in batch:
        script.propose(Job(suggestion))
    batch = [*batch, *ask(script.history, make(), n=4)]
    keys = [NESTED.key(suggestion.config) for suggestion in batch]
    expect(len(set(keys)) == len(keys), "a config was proposed while it was pending")


def check_improves(make: Make, known: Known, seeds: int = 5) -> None:
    """The median regret over seeds is at most half that of random search at equal trials."""
    ours = [_regret(make(), known, seed) for seed in range(seeds)]
    chance = [_regret(Random(), known, seed) for seed in range(seeds)]
    mine, theirs = statistics.median(ours), statistics.median(chance)
    expect(mine <= 0.5 * theirs, f"{known.name}: regret {mine:.4g}, random search {theirs:.4g}")


SEARCHER_CHECKS: tuple[Callable[[Make], None], ...] = (
    check_valid,
    check_bounds,
    check_number,
    check_leaves_history_alone,
    check_cold_equals_warm,
    check_two_drivers,
    check_several_histories,
    check_replay,
    check_space_changes,
    check_failures,
    check_nothing_works,
    check_odd_losses,
    check_duplicates,
    check_few_results,
    check_pending,
)


def searcher_contract(make: Make) -> None:
    """Run every check, with warnings turned into errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for check in SEARCHER_CHECKS:
            check(make)


def _exhausted(script: Script, searcher: Searcher, tried: list[str]) -> bool:
    """Whether a searcher ended of itself: it suggests nothing, and repeated nothing."""
    return bool(tried) and len(set(tried)) == len(tried) and not ask(script.history, searcher)


@final
class _Turns:
    """Hands every other call to another searcher."""

    def __init__(self, *searchers: Searcher) -> None:
        self._searchers = searchers
        self._calls = 0

    def suggest(self, history: History, at: Any, n: int, rng: np.random.Generator) -> Any:
        self._calls += 1
        return self._searchers[self._calls % len(self._searchers)].suggest(history, at, n, rng)


def _eventful(searcher: Searcher, trials: int, seed: int = 0) -> Script:
    """Run a search over `NESTED` with four pending trials, out of order, some failing."""
    script = Script(problem(NESTED, seed))
    rng = np.random.default_rng(seed)
    running: list[int] = []
    while len(script.history.trials) < trials:
        running.append(script.propose(Job(ask(script.history, searcher)[0])))
        if len(running) == 4:
            job = running.pop(int(rng.integers(4)))
            _finish(script, job, float(rng.random()))
    return script


def _finish(script: Script, job: int, chance: float) -> None:
    config: Mapping[str, Any] = script.history.trials[script.history.jobs[job].trial].config
    if config["lr"] > 0.05:
        script.end(job, state=State.DIVERGED)
    elif chance < 0.15:
        script.end(job, state=State.STOPPED)
    else:
        script.end(job, nested(config))


def _regret(searcher: Searcher, known: Known, seed: int) -> float:
    script = search(problem(known.space, seed), searcher, known.function, known.trials)
    return float(script.history.finished.loss.min()) - known.least


def _same(left: Any, right: Any, where: str) -> None:
    pairs: list[tuple[Suggestion, Suggestion]] = list(zip(left, right, strict=True))
    for a, b in pairs:
        expect(a.config == b.config, f"{where}: {dict(a.config)} cold, {dict(b.config)} warm")
        expect(dict(a.why) == dict(b.why), f"{where}: {dict(a.why)} cold, {dict(b.why)} warm")
