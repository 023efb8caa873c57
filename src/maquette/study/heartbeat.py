"""The sign of life of a driver: its jobs' leases are renewed, whatever its own thread is doing.

That thread runs the user's function, where jobs run inline, and waits for a store that is away.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import final

from maquette.errors import StoreError
from maquette.store.protocol import Store

# A lease outlives several missed renewals, so that a machine under load is not taken for dead.
_PER_LEASE = 10


@final
class Heartbeat:
    """Renews leases from a thread of its own between `begin` and `end`.

    Parameters
    ----------
    tokens
        Fencing token by job, as the driver has them at any time.
    lease
        Seconds for which a lease is good.
    """

    def __init__(self, store: Store, study: int, tokens: Mapping[int, int], lease: float) -> None:
        self._store, self._study, self._tokens, self._lease = store, study, tokens, lease
        self._lost: deque[tuple[int, int]] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def begin(self) -> None:
        """Start renewing."""
        self._thread.start()

    def end(self) -> None:
        """Renew no more; nothing is waited for."""
        self._over.set()

    def lost(self) -> list[tuple[int, int]]:
        """Return jobs and tokens whose lease was found lost since the last call."""
        return [self._lost.popleft() for _ in range(len(self._lost))]

    def _beat(self) -> None:
        while not self._over.wait(self._lease / _PER_LEASE):
            tokens = dict(self._tokens)
            if not tokens:
                continue
            try:
                gone = self._store.renew(self._study, tokens, self._lease)
            except StoreError:
                continue  # a store that is away is the driver's to speak of
            self._lost.extend((job, tokens[job]) for job in gone)
