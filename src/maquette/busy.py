"""Wall clock during which at least one job was known to run.

Each run of a job confirms the time from its start to its last sign of life: an event of its own, or
a renewed lease. A job that died at night and was found in the morning did not run in between.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import final


@final
class BusyTime:
    """The measure of a union of intervals, one for every run of a job.

    Times are seconds by one clock, and never go back from call to call by more than its jitter.
    Every call costs O(1) amortised: intervals that touch are kept as one.
    """

    def __init__(self) -> None:
        self._began: dict[int, float] = {}
        self._low: list[float] = []
        self._high: list[float] = []
        self._before: list[float] = [0.0]  # confirmed seconds in the intervals before each

    def start(self, job: int, now: float) -> None:
        """A job starts."""
        self._began[job] = now

    def alive(self, job: int, now: float) -> None:
        """A running job gives a sign of life."""
        began = self._began.get(job)
        if began is not None:
            self._confirm(began, now)

    def end(self, job: int, now: float) -> float:
        """A job stops running, having been alive at `now`; return for how many seconds it ran."""
        self.alive(job, now)
        began = self._began.pop(job, now)
        return max(0.0, now - began)

    def total(self, now: float) -> float:
        """Return the seconds up to `now`, running jobs taken for alive; without any, of all."""
        if not self._began:
            return self._measure(float("inf"))
        low = min(self._began.values())
        return self._measure(low) + max(0.0, now - low)

    def _measure(self, until: float) -> float:
        """Return the confirmed seconds before `until`."""
        k = bisect_right(self._low, until) - 1
        if k < 0:
            return 0.0
        return self._before[k] + min(self._high[k], until) - self._low[k]

    def _confirm(self, low: float, high: float) -> None:
        """Add an interval; it may join several of the last ones."""
        high = max(low, high)
        kept_low, kept_high = self._low, self._high
        if kept_high and kept_low[-1] <= low and high <= kept_high[-1]:
            return
        later: list[tuple[float, float]] = []
        while kept_low and kept_high[-1] >= low:
            a, b = kept_low.pop(), kept_high.pop()
            self._before.pop()
            if a > high:
                later.append((a, b))
            else:
                low, high = min(low, a), max(high, b)
        for a, b in ((low, high), *reversed(later)):
            kept_low.append(a)
            kept_high.append(b)
            self._before.append(self._before[-1] + b - a)
