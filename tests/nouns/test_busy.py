"""Seconds in which something ran: a union of intervals, found while they grow."""

from hypothesis import given
from hypothesis import strategies as st

from maquette.busy import BusyTime
from maquette.events import Ended, Event, Proposed, Reported, Requeued, Started
from maquette.history import History
from maquette.testing.problems import NESTED, problem
from maquette.trial import State

RUNS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=8
)


@given(RUNS)
def test_it_is_the_union_of_what_the_runs_confirmed(runs):
    """Each run starts, is last heard of, and is found to be over some time after that."""
    busy, moments = BusyTime(), []
    for job, (began, lasted, later) in enumerate(runs):
        moments.append((began, 0, job, began))
        moments.append((began + lasted + later, 1, job, began + lasted))
    for _, over, job, time in sorted(moments):
        (busy.end if over else busy.start)(job, time)
    seconds = {t for began, lasted, _ in runs for t in range(began, began + lasted)}
    assert busy.total(1e9) == len(seconds)


@given(RUNS)
def test_running_jobs_count_up_to_now(runs):
    busy = BusyTime()
    for job, (began, _, _) in enumerate(sorted(runs)):
        busy.start(job, began)
    first = min(began for began, _, _ in runs)
    assert busy.total(100) == 100 - first


def history(*moments):
    events = [Event(n, time, body) for n, (time, body) in enumerate(moments, 1)]
    return History(problem(NESTED), events)


def proposed():
    return Proposed(0, 0, NESTED.defaults(), until={"steps": 9})


def test_the_night_after_a_driver_died_is_no_running_time():
    found = history(
        (0.0, proposed()),
        (10.0, Started(0, 0, "a", 1)),
        (20.0, Reported(0, 0, 1, {"loss": 1.0}, seconds=10.0)),
        (40_000.0, Requeued(0, 0, "its driver is dead", alive=55.0)),
        (40_001.0, Started(0, 0, "b", 2)),
        (40_021.0, Ended(0, 0, State.DONE, {"loss": 1.0}, seconds=20.0)),
    )
    assert found.elapsed() == 45.0 + 20.0


def test_what_a_lost_run_cost_is_spent():
    found = history(
        (0.0, proposed()),
        (10.0, Started(0, 0, "a", 1)),
        (20.0, Reported(0, 0, 1, {"loss": 1.0}, seconds=10.0)),
        (99.0, Requeued(0, 0, "its driver is dead", alive=55.0)),
        (100.0, Started(0, 0, "b", 2)),
        (110.0, Reported(0, 0, 1, {"loss": 1.0}, seconds=10.0)),
        (120.0, Ended(0, 0, State.DONE, {"loss": 1.0}, seconds=20.0)),
    )
    assert found.cost == found.seconds == found.trials[0].cost == 45.0 + 20.0


def test_a_job_that_goes_on_from_a_checkpoint_keeps_its_curve_up_to_there():
    found = history(
        (0.0, proposed()),
        (1.0, Started(0, 0, "a", 1)),
        *((2.0 + s, Reported(0, 0, s, {"loss": 9.0 - s})) for s in (1, 2, 3, 4)),
        (9.0, Requeued(0, 0, "lost")),
        (10.0, Started(0, 0, "b", 2, first_step=2, start=("x",), note="from step 2")),
        (12.0, Reported(0, 0, 3, {"loss": 0.5})),
    )
    trial = found.trials[0]
    assert (trial.steps, trial.losses) == ([1, 2, 3], [8.0, 7.0, 0.5])
    assert (trial.job.first_step, trial.job.start, trial.job.note) == (2, ("x",), "from step 2")
    fresh = history(
        (0.0, proposed()),
        (1.0, Started(0, 0, "a", 1)),
        *((2.0 + s, Reported(0, 0, s, {"loss": 9.0 - s})) for s in (0, 1)),
        (9.0, Requeued(0, 0, "lost")),
        (10.0, Started(0, 0, "b", 2)),
    )
    assert fresh.trials[0].steps == fresh.jobs[0].steps == []
