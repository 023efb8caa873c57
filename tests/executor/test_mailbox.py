"""A mailbox between a job and drivers that come and go."""

from __future__ import annotations

import threading

from maquette.executor.mailbox import Mailbox
from maquette.executor.wire import decision_to_json
from maquette.trial import Action, Decision

GO_ON = decision_to_json(Decision())
STOP = decision_to_json(Decision(Action.STOP, reason="enough"))


def reported(box, number):
    return box.report({"step": number})


def test_without_a_driver_a_report_goes_on_and_a_late_order_meets_the_next_one():
    box = Mailbox(1, patience=0.0)
    assert reported(box, 0) == GO_ON
    assert box.hear(1, 0, [], 0.0)["reports"] == [{"step": 0}]
    box.hear(1, 1, [(0, STOP)], 0.0)
    assert reported(box, 1) == STOP


def test_a_report_waits_for_its_answer():
    box = Mailbox(1, patience=60.0)
    answers = []
    job = threading.Thread(target=lambda: answers.append(reported(box, 0)))
    job.start()
    assert box.hear(1, 0, [], 60.0)["reports"] == [{"step": 0}]
    box.hear(1, 1, [(0, STOP)], 0.0)
    job.join(60)
    assert answers == [STOP]


def test_what_a_new_driver_knows_already_is_answered():
    box = Mailbox(1, patience=60.0)
    answers = []
    job = threading.Thread(target=lambda: answers.append(reported(box, 0)))
    job.start()
    box.hear(1, 0, [], 60.0)  # the driver wrote it down, and died before it answered
    assert box.hear(2, 1, [], 0.0)["reports"] == []
    job.join(60)
    assert answers == [GO_ON]


def test_a_driver_with_an_older_token_is_shut_out():
    box = Mailbox(1, patience=0.0)
    box.hear(2, 0, [], 0.0)
    assert box.hear(1, 0, [(0, STOP)], 60.0) == {"lost": True}
    assert not box.cancel(1)
    assert not box.cancelled
    assert reported(box, 0) == GO_ON
    assert box.cancel(2)


def test_a_call_that_is_repeated_changes_nothing():
    box = Mailbox(1, patience=0.0)
    reported(box, 0)
    reported(box, 1)
    box.end({"state": "done"})
    first = box.hear(1, 1, [(0, GO_ON)], 60.0)
    assert first == box.hear(1, 1, [(0, GO_ON)], 60.0)
    assert first == {"lost": False, "reports": [{"step": 1}], "outcome": {"state": "done"}}
