"""What the other processes of these tests do: start them with `start`, speak through a pipe."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from maquette.errors import StoreError
from maquette.events import Proposed
from maquette.store import new_owner, open_store
from maquette.testing.store_steps import running, told

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["maquette.store.sql", "maquette.store.sqlite", __name__])
_NOBODY = 65534


def start(program: Callable[..., None], *arguments: Any) -> tuple[Any, Connection]:
    """Start a process; it ends with the test."""
    here, there = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=program, args=(there, *arguments), daemon=True)
    process.start()
    there.close()
    return process, here


def wait(pipe: Connection) -> Any:
    """Return what a process says next."""
    assert pipe.poll(60), "the other process says nothing"
    return pipe.recv()


def tell(pipe: Connection, url: str, n: int) -> None:
    """Append n told trials, one by one, once everyone is ready."""
    store = open_store(url)
    study = store.create("shared", {}).id
    pipe.send("ready")
    wait(pipe)
    for i in range(n):
        store.append(study, told(float(i), process=os.getpid(), i=i))
    store.close()
    pipe.send("done")


def propose(pipe: Connection, url: str, n: int) -> None:
    """Propose n trials in turns with others, and run them."""
    store = open_store(url)
    study = store.create("shared", {}).id
    owner = new_owner()
    pipe.send("ready")
    wait(pipe)
    while n:
        lease = store.acquire_proposer(study, owner, 30.0)
        if lease is None:
            time.sleep(0.002)
            continue
        event: Any = store.propose(study, lease, [Proposed(-1, -1, {"i": n})])[0]
        store.start(study, event.body.job, owner, 60.0)
        n -= 1
    store.close()
    pipe.send("done")


def tell_forever(pipe: Connection, url: str) -> None:
    """Append without end; say the last number of what is safely in."""
    store = open_store(url)
    study = store.create("shared", {}).id
    while True:
        pipe.send(store.append(study, told())[-1].number)


def hold_a_job(pipe: Connection, url: str) -> None:
    """Take a job for good, and the right to propose; then sleep."""
    store = open_store(url)
    study = store.create("shared", {}).id
    owner = new_owner()
    pipe.send(running(store, study, owner, None))
    store.acquire_proposer(study, owner, 3600.0)
    pipe.send("holding")
    time.sleep(600)


def open_as_user(pipe: Connection, url: str, read_only: bool) -> None:
    """Open a store as a user without privileges, and say how it went."""
    if os.getuid() == 0:
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    try:
        store = open_store(url, read_only=read_only)
        pipe.send(f"{len(store.studies())} studies")
        store.append(1, told())
        pipe.send("written")
    except StoreError as error:
        pipe.send(str(error))


def fill_the_disk(pipe: Connection, url: str, path: Path) -> None:
    """Append until no file may grow any more, then get room and go on."""
    store = open_store(url)
    study = store.create("shared", {}).id
    done = len(store.append(study, told()))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    grown = max(f.stat().st_size for f in path.parent.glob(path.name + "*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (grown + 20_000, hard))
    try:
        while done < 10_000:
            done += len(store.append(study, told(text="x" * 2000)))
        pipe.send("never full")
    except StoreError as error:
        pipe.send(str(error))
    pipe.send((done, len(store.read(study))))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.append(study, told())
    pipe.send(len(store.read(study)))
    store.close()
