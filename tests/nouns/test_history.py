"""Events in, columns out."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette import events as ev
from maquette.errors import StoreError, StudyError
from maquette.events import Ended, Event, Proposed, Reported, Requeued, SpaceChanged, Started
from maquette.history import History, Problem
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.space import Choice, Float, Int, Space
from maquette.trial import State

SPACE = Space({"lr": Float(1e-4, 1e-1, log=True), "opt": Choice(["adam", "sgd"])})
CONFIG = {"lr": 1e-3, "opt": "adam"}


def problem(**parts):
    return Problem(SPACE, Objective("loss"), **parts)


def numbered(*bodies, first=1):
    return [Event(i, 100.0 + i, body) for i, body in enumerate(bodies, first)]


def one_trial(number, loss, *, first, state=State.DONE, cell=None):
    """Return the events of a trial from proposal to end."""
    metrics = {} if loss is None else {"loss": loss}
    return numbered(
        Proposed(number, number, CONFIG, scale=cell or {}),
        Started(number, number, "me", 1),
        Ended(number, number, state, metrics, seconds=2.0),
        first=first,
    )


def test_a_trial_from_proposal_to_result():
    history = History(problem())
    history.extend(numbered(Proposed(0, 0, CONFIG), Started(0, 0, "me", 1)))
    assert [t.number for t in history.pending] == [0]
    assert history.trials[0].state is State.RUNNING
    history.extend(numbered(Reported(0, 0, 5, {"loss": 2.0}, seconds=1.5), first=3))
    assert history.trials[0].losses == [2.0]
    history.extend(numbered(Ended(0, 0, State.DONE, {"loss": 1.0}, seconds=2.0), first=4))
    trial = history.trials[0]
    assert (trial.state, trial.loss, trial.seconds, trial.cost) == (State.DONE, 1.0, 2.0, 2.0)
    assert history.pending == []
    np.testing.assert_array_equal(history.finished.loss, [1.0])
    np.testing.assert_array_equal(history.finished.X[0], SPACE.encode(CONFIG)[0])


def test_a_gap_in_the_numbers_is_refused():
    history = History(problem())
    with pytest.raises(StudyError, match="gap"):
        history.extend([Event(2, 0.0, Proposed(0, 0, CONFIG))])


def test_a_failure_has_a_state_and_no_loss():
    history = History(problem(), one_trial(0, None, first=1, state=State.OOM))
    assert history.finished.state[0] is State.OOM
    assert math.isnan(history.finished.loss[0])
    assert not history.finished.ok[0]


def test_a_stopped_trial_keeps_its_curve_and_is_no_observation():
    history = History(problem())
    history.extend(
        numbered(
            Proposed(0, 0, CONFIG),
            Started(0, 0, "me", 1),
            Reported(0, 0, 3, {"loss": 0.5}),
            Ended(0, 0, State.STOPPED, {"loss": 0.5}),
        )
    )
    assert math.isnan(history.trials[0].loss)
    assert history.trials[0].loss_at(3) == 0.5
    assert math.isnan(history.trials[0].loss_at(4))


def test_finished_trials_stand_in_order_of_their_end():
    history = History(problem())
    history.extend(
        numbered(
            Proposed(0, 0, CONFIG),
            Proposed(1, 1, CONFIG),
            Ended(1, 1, State.DONE, {"loss": 1.0}),
            Ended(0, 0, State.DONE, {"loss": 2.0}),
        )
    )
    assert history.finished.trial.tolist() == [1, 0]
    assert history.finished.first(1).loss.tolist() == [1.0]


def test_a_retried_stretch_replaces_itself():
    history = History(problem())
    history.extend(
        numbered(
            Proposed(0, 0, CONFIG),
            Started(0, 0, "a", 1),
            Reported(0, 0, 1, {"loss": 3.0}),
            Requeued(0, 0, "lost"),
            Started(0, 0, "b", 2),
            Reported(0, 0, 1, {"loss": 2.5}),
        )
    )
    assert history.trials[0].losses == [2.5]
    assert history.jobs[0].token == 2
    assert history.queued == []


def test_an_adopted_job_goes_on_with_its_curve_and_its_clock():
    history = History(problem())
    history.extend(
        numbered(
            Proposed(0, 0, CONFIG),
            Started(0, 0, "a", 1),
            Reported(0, 0, 1, {"loss": 3.0}, seconds=1.0),
            Started(0, 0, "b", 2, adopted=True),
            Reported(0, 0, 2, {"loss": 2.5}, seconds=3.0),
            Ended(0, 0, State.DONE, {"loss": 2.0}, seconds=4.0),
        )
    )
    job, trial = history.jobs[0], history.trials[0]
    assert (job.owner, job.token, job.starts) == ("b", 2, 1)
    assert trial.losses == [3.0, 2.5]
    assert history.elapsed() == trial.seconds == 4.0


def test_a_second_end_changes_nothing():
    events = one_trial(0, 1.0, first=1)
    history = History(problem(), events)
    history.extend(numbered(Ended(0, 0, State.DONE, {"loss": 9.0}), first=4))
    assert history.trials[0].loss == 1.0
    assert len(history.finished) == 1


def test_instances_are_averaged():
    history = History(problem(instances=Instances(tune=["a", "b"])))
    history.extend(
        numbered(
            Proposed(0, 0, CONFIG, instance="a", final=False),
            Ended(0, 0, State.PAUSED, {"loss": 1.0}),
            Proposed(0, 1, None, instance="b"),
            Ended(0, 1, State.DONE, {"loss": 3.0}),
        )
    )
    assert history.trials[0].loss == 2.0
    assert len(history.trials) == 1
    assert len(history.trials[0].jobs) == 2


def test_cells_are_kept_apart():
    scale = Scale([{"width": 32}, {"width": 64}], width=(32, 128))
    history = History(problem(scale=scale))
    history.extend(one_trial(0, 1.0, first=1, cell={"width": 32}))
    history.extend(one_trial(1, 2.0, first=4, cell={"width": 64}))
    assert [t.number for t in history.in_cell({"width": 64})] == [1]
    np.testing.assert_array_equal(history.finished.scale, [[32.0], [64.0]])


def test_cost_counts_the_declared_metric():
    history = History(Problem(SPACE, Objective("loss", cost="flops")))
    history.extend(numbered(Proposed(0, 0, CONFIG), Started(0, 0, "me", 1)))
    history.extend(
        numbered(Ended(0, 0, State.DONE, {"loss": 1.0, "flops": 7e9}, seconds=3.0), first=3)
    )
    assert (history.cost, history.seconds) == (7e9, 3.0)


def test_elapsed_counts_parallel_jobs_once_and_pauses_not_at_all():
    def at(number, time, body):
        return Event(number, time, body)

    history = History(problem())
    history.extend([at(1, 0, Proposed(0, 0, CONFIG)), at(2, 0, Proposed(1, 1, CONFIG))])
    history.extend([at(3, 10, Started(0, 0, "a", 1)), at(4, 12, Started(1, 1, "a", 1))])
    assert history.elapsed(now=15) == 5
    history.extend([at(5, 20, Ended(0, 0, State.DONE, {"loss": 1.0}))])
    history.extend([at(6, 30, Ended(1, 1, State.DONE, {"loss": 1.0}))])
    assert history.elapsed(now=99) == 20


def test_a_wider_space_encodes_every_trial_anew():
    history = History(problem(), one_trial(0, 1.0, first=1))
    wider = Space(
        {
            "lr": Float(1e-5, 1e-1, log=True),
            "opt": Choice(["adam", "sgd", "muon"]),
            "decay": Float(0.0, 1.0, default=0.1),
        }
    )
    history.extend(numbered(SpaceChanged(wider.to_json()), first=4))
    assert history.space == wider
    assert history.trials[0].config["decay"] == 0.1
    np.testing.assert_allclose(
        history.finished.X[0], wider.encode({**CONFIG, "decay": 0.1})[0], atol=1e-12
    )


@given(st.lists(st.floats(0, 9), max_size=60), st.data())
def test_folding_in_pieces_equals_folding_at_once(losses, data):
    events = [e for i, x in enumerate(losses) for e in one_trial(i, x, first=3 * i + 1)]
    whole, pieces = History(problem(), events), History(problem())
    i = 0
    while i < len(events):
        step = data.draw(st.integers(1, 20))
        pieces.extend(events[i : i + step])
        i += step
    for name in ("trial", "X", "losses", "cost"):
        np.testing.assert_array_equal(getattr(whole.finished, name), getattr(pieces.finished, name))


def test_columns_are_read_only():
    history = History(problem(), one_trial(0, 1.0, first=1))
    with pytest.raises(ValueError, match="read-only"):
        history.finished.losses[0, 0] = 5.0


BODIES = [
    Proposed(
        0, 1, CONFIG, {"steps": 9}, {"width": 2}, "a", 3, ("x", "y"), False, "gp", {"m": 1}, 7
    ),
    Started(1, 2, "me", 3),
    Reported(1, 2, 0.5, {"loss": 1.5}, 2.0, 3.0),
    Ended(1, 2, State.CRASHED, {"loss": 1.5}, None, 1.0, "it's \u2603"),
    Requeued(1, 2, "lost"),
    SpaceChanged({"a": 1}),
    ev.BudgetChanged(10, None, 5.0, 2),
    ev.StopAsked((3, 4), True, "enough"),
    ev.Enqueued(CONFIG, {"width": 2}, "requeued", 4),
    ev.ProgramChanged({"words": ["a", "{lr}"]}, 60.0),
]


@pytest.mark.parametrize("body", BODIES, ids=ev.kind_of)
def test_every_event_survives_json(body):
    data = json.loads(json.dumps(ev.to_json(body)))
    assert ev.from_json(ev.kind_of(body), data) == body


def test_an_event_of_an_unknown_kind_or_shape_is_refused():
    with pytest.raises(StoreError, match="telepathy"):
        ev.from_json("telepathy", {})
    with pytest.raises(StoreError, match="started"):
        ev.from_json("started", {"moon": 1})


def test_rows_are_the_same_bits_however_many_events_are_folded_at_once():
    space = Space(
        {
            "lr": Float(1e-6, 10, log=True),
            "n": Int(1, 4096, log=True),
            "shift": Float(-3, 4),
            "opt": Choice(["adam", "sgd"]),
        }
    )
    configs = space.sample(np.random.default_rng(0), 60)
    wider = {"lr": Float(1e-7, 10, log=True), "m": Float(0, 1, default=0.25)}
    wider = Space({**dict(space.items()), **wider})
    bodies = [Proposed(i, i, c) for i, c in enumerate(configs)]
    bodies.insert(41, SpaceChanged(wider.to_json()))
    bodies[42:] = [Proposed(b.trial, b.job, {**b.config, "m": 0.5}) for b in bodies[42:]]
    events = numbered(*bodies)
    at_once = History(Problem(space, Objective("loss")), events)
    singly = History(Problem(space, Objective("loss")))
    for event in events:
        singly.extend([event])
    for one, other in zip(at_once.trials, singly.trials, strict=True):
        assert one.row.tobytes() == other.row.tobytes() == wider.encode(one.config)[0].tobytes()
        assert one.active.tobytes() == other.active.tobytes()
        assert one.config == other.config


def test_columns_are_complete_whenever_somebody_looks():
    """Rows that wait to be looked at: in between, past a doubling, and across a change of space."""
    history, seen = History(problem()), []
    for i in range(70):
        history.extend(one_trial(i, float(i), first=history.last + 1))
        if i in (0, 3, 15, 16, 50):
            seen.append((i, history.finished))
    wider = Space({**dict(SPACE.items()), "x": Float(0, 1, default=0.5)})
    history.extend(numbered(SpaceChanged(wider.to_json()), first=history.last + 1))
    for i, finished in [*seen, (69, history.finished)]:
        assert finished.trial.tolist() == list(range(i + 1))
        assert finished.loss.tolist() == [float(k) for k in range(i + 1)]
        assert all(state is State.DONE for state in finished.state)
    assert history.finished.X.shape == (70, 3)
    assert [f.X.shape for _, f in seen] == [(i + 1, 2) for i, _ in seen]
