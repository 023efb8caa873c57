"""Writes that fail for a while, and for good."""

import logging

import pytest

from maquette.errors import StoreError, StoreUnavailableError
from maquette.study.persist import patiently


class Flaky:
    def __init__(self, failures, error=StoreUnavailableError):
        self.left, self.error, self.calls = failures, error, 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.left:
            raise self.error("the disk is full")
        return "written"


def test_a_store_that_mends_itself_is_waited_for_and_said_once(caplog):
    write = Flaky(3)
    with caplog.at_level(logging.WARNING, logger="maquette"):
        assert patiently(write) == "written"
    assert write.calls == 4
    assert [r.getMessage() for r in caplog.records] == ["the disk is full; trying again for 60 s"]


def test_a_store_that_stays_unavailable_raises_in_the_end():
    with pytest.raises(StoreUnavailableError):
        patiently(Flaky(10**6), patience=0.3)


def test_what_waiting_cannot_mend_is_raised_at_once():
    write = Flaky(1, StoreError)
    with pytest.raises(StoreError):
        patiently(write)
    assert write.calls == 1
