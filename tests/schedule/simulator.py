"""A discrete-event simulator: workers with a virtual clock run jobs that are learning curves."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from maquette.fidelity import Duration
from maquette.history import Problem
from maquette.objective import Objective
from maquette.rng import generator
from maquette.schedule.protocol import Done, Wait
from maquette.space import Float, Space
from maquette.testing.script import Script
from maquette.trial import Action, State

D = 4


@dataclass(frozen=True)
class Curves:
    """y(t) = yinf + (0.9 - yinf) (1 + t)^-a + noise; ranks cross more, the larger rho is."""

    rho: float = 0.0
    noise: float = 0.0

    def asymptote(self, config):
        x = np.array([config[f"x{i}"] for i in range(D)])
        return 0.05 + 3 * np.mean((x - 0.37) ** 2)

    def loss(self, config, t):
        x = np.array([config[f"x{i}"] for i in range(D)])
        key = [int(v * 1e9) for v in x]
        a = 0.8 * np.exp(self.rho * generator(1, *key).standard_normal())
        yinf = self.asymptote(config)
        wobble = self.noise * generator(2, *key, int(t)).standard_normal() if self.noise else 0.0
        return float(yinf + (0.9 - yinf) * (1 + t) ** -a + wobble)


def curves_problem(least=1, full=81, seed=0, **more):
    space = Space({f"x{i}": Float(0, 1) for i in range(D)})
    return Problem(
        space, Objective("loss"), Duration.parse({"t": (least, full)}), seed=seed, **more
    )


@dataclass
class Simulation:
    """What a simulated study did."""

    script: Script
    epochs: float = 0.0
    idle: float = 0.0
    stops: list = field(default_factory=list)

    @property
    def history(self):
        return self.script.history


def simulate(problem, scheduler, searcher, loss, *, workers=1, epochs=500.0, check=None):
    """Run workers until `epochs` are spent; every epoch takes a unit of time and reports.

    `loss(config, t, job)` is the curve; `check(history)` is called after every proposal.
    """
    sim = Simulation(Script(problem))
    script, clock = sim.script, []
    free = list(range(workers))
    now = 0.0
    while True:
        while free and sim.epochs < epochs:
            jobs = _next(script, scheduler, searcher, len(free))
            if not jobs:
                break
            for job in jobs:
                number = script.propose(job)
                heapq.heappush(clock, (now + 1.0, free.pop(0), number, job.first_step + 1.0))
            if check:
                check(script.history)
        if not clock:
            return sim
        then, worker, number, t = heapq.heappop(clock)
        if sim.epochs < epochs:  # afterwards workers run dry, one by one
            sim.idle += len(free) * (then - now)
        now = then
        sim.epochs += 1
        if not _epoch(sim, scheduler, number, t, loss):
            heapq.heappush(clock, (now + 1.0, worker, number, t + 1.0))
        else:
            free.append(worker)
            free.sort()


def _next(script, scheduler, searcher, n):
    rng = generator(script.problem.seed, script.history.last)
    jobs = scheduler.next(script.history, searcher, n, rng)
    assert not isinstance(jobs, Wait | Done), jobs
    assert len(jobs) <= n
    return jobs


def _epoch(sim, scheduler, number, t, loss):
    """Train one epoch; return whether the job has ended."""
    script = sim.script
    job = script.history.jobs[number]
    value = loss(script.history.trials[job.trial].config, t, job)
    script.report(number, t, value)
    for decision in scheduler.decide(script.history, job.trial):
        assert decision.action is Action.STOP
        assert decision.reason
        sim.stops.append((decision.trial, t, decision.reason))
        script.end(number, state=State.STOPPED)
        return True
    if t >= job.fidelity.until["t"]:
        script.end(number, value)
        return True
    return False
