"""A COMMIT that is not answered: what it wrote is written once, whatever became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import maquette as mq
from maquette.errors import StoreError, StoreUnavailableError
from maquette.events import Ended, Reported
from maquette.store import open_store, sql
from maquette.store.protocol import Store
from maquette.study.patient import patiently
from maquette.testing.store_steps import numbers, running, told
from maquette.trial import State
from tests.services import needs

from .proxy import Cut, Proxy, proxied

pytestmark = needs("postgres")
CUTS: tuple[Cut, ...] = ("before", "after", "late")


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    with proxied(postgres_url) as proxy:
        yield proxy


@pytest.fixture
def near(proxy: Proxy) -> Iterator[Store]:
    """The store, through the proxy."""
    store = open_store(proxy.url)
    yield store
    store.close()


@pytest.mark.parametrize("cut", CUTS)
def test_a_told_trial_is_told_once(near: Store, proxy: Proxy, cut: Cut) -> None:
    study = near.create("a", {}).id
    near.append(study, told(0.0))
    proxy.cut = cut
    events = patiently(lambda: near.append(study, told(1.0)))
    assert proxy.cuts == 1
    assert numbers(events) == [3, 4]
    assert near.read(study, 2) == events
    assert numbers(near.append(study, told(2.0))) == [5, 6]


@pytest.mark.parametrize("cut", CUTS)
def test_reports_and_results_are_recorded_once(near: Store, proxy: Proxy, cut: Cut) -> None:
    study = near.create("a", {}).id
    trial, job, token = running(near, study, "me")
    report = Reported(trial, job, 1.0, {"loss": 0.5})
    for body in (report, Ended(trial, job, State.DONE, {"loss": 0.5})):
        proxy.cut = cut
        written = patiently(lambda body=body: near.record(study, {job: token}, [body]))
        assert [event.body for event in written] == [body]
    assert proxy.cuts == 2
    assert [event.kind for event in near.read(study)] == [
        "proposed",
        "started",
        "reported",
        "ended",
    ]


@pytest.mark.parametrize("cut", CUTS)
def test_proposals_and_starts_are_known_or_not_made(near: Store, proxy: Proxy, cut: Cut) -> None:
    study = near.create("a", {}).id
    lease = near.acquire_proposer(study, "me", 60.0)
    proxy.cut = cut
    if cut != "after":
        with pytest.raises(StoreUnavailableError):
            near.propose(study, lease, [mq.events.Proposed(-1, -1, {"x": 1.0})])
        time.sleep(0.6 if cut == "late" else 0.0)  # what comes late must find nobody to take it
        assert near.read(study) == []
        return
    event = near.propose(study, lease, [mq.events.Proposed(-1, -1, {"x": 1.0})])[0]
    proxy.cut = cut
    started = near.start(study, event.body.job, "me", 60.0)
    assert started is not None
    assert started.number == 2
    assert numbers(near.read(study)) == [1, 2]


def test_another_writer_in_between_does_not_hide_what_was_written(
    near: Store, proxy: Proxy, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = near.create("a", {}).id
    other = open_store(postgres_url)
    arrived = sql.SQLStore._arrived

    def later(self, study, event):
        other.append(study, told(9.0))
        return arrived(self, study, event)

    monkeypatch.setattr(sql.SQLStore, "_arrived", later)
    for cut, count in (("after", 4), ("before", 8)):
        proxy.cut = cut
        patiently(lambda: near.append(study, told(1.0)))
        assert numbers(other.read(study)) == list(range(1, count + 1))
    losses = [e.body.metrics["loss"] for e in other.read(study) if isinstance(e.body, Ended)]
    assert losses == [1.0, 9.0, 9.0, 1.0]
    other.close()


def test_a_server_that_stays_away_leaves_a_doubt_that_is_said(
    near: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = near.create("a", {}).id
    monkeypatch.setattr(sql, "DOUBT_SECONDS", 0.5)
    proxy.cut = "after"
    proxy.close()
    with pytest.raises(StoreError, match="may or may not have been written") as error:
        patiently(lambda: near.append(study, told()))
    assert not isinstance(error.value, StoreUnavailableError), "it would be tried again blindly"


def test_a_study_told_through_a_bad_line_counts_every_trial_once(
    proxy: Proxy, postgres_url: str
) -> None:
    study = mq.Study("s", {"x": mq.Float(0, 1)}, store=proxy.url, searcher="random")
    for i in range(6):
        proxy.cut = CUTS[i % 3]
        study.tell({"x": i / 6}, float(i))
    assert proxy.cuts == 6
    study.store.close()
    seen = mq.Study.load("s", postgres_url)
    assert [trial.loss for trial in seen.trials] == [float(i) for i in range(6)]
    assert seen.history.last == 12
    seen.store.close()
