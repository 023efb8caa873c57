"""Who is provably dead, and who only might be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from maquette.store import new_owner, provably_dead


def test_the_living_are_not_dead() -> None:
    assert not provably_dead(new_owner())
    assert new_owner() != new_owner()


def test_a_process_that_is_gone_is_dead_even_before_it_is_reaped() -> None:
    program = "from maquette.store import new_owner; print(new_owner(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().decode().strip()
        assert not provably_dead(owner)
        os.kill(process.pid, signal.SIGSTOP)
        assert not provably_dead(owner), "a stopped process may go on"
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet reaped
        assert provably_dead(owner)
        process.kill()
    assert provably_dead(owner)


def test_a_reused_process_number_is_not_the_old_process() -> None:
    host, boot, pid, start, nonce = new_owner().split("/")
    assert provably_dead("/".join((host, boot, pid, start + "1", nonce)))
    assert not provably_dead("/".join((host, boot, pid, "?", nonce)))


def test_elsewhere_nothing_is_proved() -> None:
    host, boot, _, start, nonce = new_owner().split("/")
    gone = "999999999"
    assert provably_dead("/".join((host, boot, gone, start, nonce)))
    for owner in (
        "/".join(("other-host", boot, gone, start, nonce)),
        "/".join((host, "other-boot", gone, start, nonce)),
        "/".join((host, "", gone, start, nonce)),
        "/".join((host, boot, "-1", start, nonce)),
        "somebody",
        "",
        "////",
    ):
        assert not provably_dead(owner)
