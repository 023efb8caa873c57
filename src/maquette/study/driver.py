"""The driver: fills free slots, carries reports and results to the store, keeps leases alive.

Any number of drivers, on any number of machines, may drive one study at once: what to run next is
settled by the proposer's lease, who runs it by the job's lease, and everything they know of one
another stands in the store.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import final

from maquette.errors import StoreError, StoreUnavailableError
from maquette.events import Ended, Event, Reported, Requeued
from maquette.executor.protocol import Adopting, Executor, Outcome, Task
from maquette.history import History, JobRecord
from maquette.orders import STOPPED
from maquette.rng import derived_seed
from maquette.schedule.protocol import Done, Scheduler, Wait
from maquette.store.protocol import LeaseLostError, LostJob, Store
from maquette.study.catch_up import catch_up, take_in
from maquette.study.company import Company
from maquette.study.heartbeat import Heartbeat
from maquette.study.interrupt import Interrupted, Interrupts
from maquette.study.keeper import Keeper
from maquette.study.kept import Kept
from maquette.study.lost import Suspects, again, ended, last_alive, report_counts, survivors
from maquette.study.meter import Meter
from maquette.study.obey import Obedience
from maquette.study.places import Places
from maquette.study.proposer import Proposal, Proposer
from maquette.study.settings import Settings
from maquette.trial import Decision, Report, State

WATCH_SECONDS = 0.1
# Between two looks whether another driver is still proposing: the longer it takes, the fewer.
BUSY_SECONDS = (0.025, 0.2)
# While a proposal is computed the loop turns often, and need not read the store as often.
LOOK_SECONDS = 0.05


@final
class Driver:
    """Runs one study on one executor until the budget is spent or the user stops it."""

    def __init__(
        self,
        store: Store,
        study: int,
        history: History,
        scheduler: Scheduler,
        executor: Executor,
        settings: Settings,
        owner: str,
    ) -> None:
        self._store, self._study, self._history = store, study, history
        self._scheduler, self._executor, self._settings = scheduler, executor, settings
        self._owner = owner
        self._meter = Meter(settings.budget, settings.clock)
        self._keeper = Keeper(settings.folder, settings.checkpoints)
        self._places = Places(settings.folder, settings.checkpoints)
        self._tokens: dict[int, int] = {}
        self._orders: dict[int, Decision] = {}
        self._kept = Kept(settings.folder)
        self._idle_at = -1
        self._company = Company(owner)
        self._suspects = Suspects(settings.lease / 6)
        self._heartbeat = Heartbeat(store, study, self._tokens, settings.lease)
        self._next_lost = 0.0
        self._next_watch = 0.0
        self._next_proposal = 0.0
        self._next_look = 0.0
        self._busy = BUSY_SECONDS[0]
        self._why_done = ""
        self._obedience = Obedience(history, executor)
        self._inline = False

    def run(self, proposer: Proposer, interrupts: Interrupts, *, inline: bool) -> str:
        """Drive the study; return why it ended.

        Raises
        ------
        Interrupted
            If the user stopped it.
        StoreError
            If the store cannot be written for longer than a driver waits.
        """
        self._inline = inline
        pool = None if inline else ThreadPoolExecutor(1, thread_name_prefix="proposer")
        with interrupts:
            try:
                self._heartbeat.begin()
                self._loop(proposer, pool, interrupts)
            except KeyboardInterrupt:
                interrupts.count = max(interrupts.count, 2)
            except StoreError:
                raise
            except Exception as error:
                self._give_back(f"the run ended: {error}".splitlines()[0])
                raise
            finally:
                if interrupts.count >= 2:
                    self._give_back("cancelled by the user")
                self._executor.close()
                self._keeper.close()
                self._heartbeat.end()
                if pool is not None:
                    pool.shutdown(wait=False, cancel_futures=True)
            try:
                self._sync()
            except StoreUnavailableError:
                if not interrupts.count:
                    raise
            self._show(force=True)
        if interrupts.count:
            raise Interrupted("the run was stopped", hint="the same command resumes it")
        return self._why_done

    def _loop(
        self, proposer: Proposer, pool: ThreadPoolExecutor | None, interrupts: Interrupts
    ) -> None:
        proposal: Future[Proposal] | None = None
        while interrupts.count < 2:
            if proposal is None or time.monotonic() >= self._next_look:
                self._sync()
            interrupts.count = max(interrupts.count, self._obedience.follow(self._tokens))
            if interrupts.count >= 2:
                return
            self._upkeep()
            stopping = interrupts.count > 0 or self._spent()
            if proposal is not None and proposal.done():
                self._take(proposal.result())
                proposal = None
            if not stopping:
                self._start_queued()
                if proposal is None and self._may_propose():
                    ask = (self._free(), self._settings.budget, self._owner)
                    if pool is None:
                        self._take(proposer.propose(*ask))
                        continue
                    proposal = pool.submit(proposer.propose, *ask)
            if self._over(stopping, proposal is not None):
                return
            self._poll(proposal is not None)

    def _poll(self, proposing: bool) -> None:
        for outcome in self._executor.poll(0.01 if proposing else 0.1, self._on_report):
            self._finish(outcome)
        self._show()

    def _free(self) -> int:
        return self._executor.slots - len(self._tokens)

    def _spent(self) -> bool:
        why = self._meter.spent(self._history)
        self._why_done = why or self._why_done
        return bool(why)

    def _may_propose(self) -> bool:
        """Whether a slot is free and something has happened since there was nothing to propose."""
        changed = self._idle_at != self._history.last
        return self._free() > 0 and changed and time.monotonic() >= self._next_proposal

    def _take(self, proposal: Proposal) -> None:
        """Remember that there is nothing to propose until something happens."""
        self._sync()
        if proposal is None:
            self._next_proposal = time.monotonic() + self._busy
            self._busy = min(2 * self._busy, BUSY_SECONDS[1])
            return
        self._busy = BUSY_SECONDS[0]
        if isinstance(proposal, Wait | Done):
            self._idle_at = self._history.last
            self._why_done = proposal.reason

    def _over(self, stopping: bool, proposing: bool) -> bool:
        """Whether nothing runs, here or elsewhere, and nothing will."""
        if self._tokens or proposing:
            return False
        if stopping:
            return True
        elsewhere = any(not job.owner.endswith("/ask") for job in self._history.running)
        return self._idle_at == self._history.last and not elsewhere and not self._history.queued

    # --- jobs ------------------------------------------------------------------------------

    def _start_queued(self) -> None:
        self._start_fresh()
        for job in self._history.queued:
            if self._free() <= 0:
                return
            event = self._take_job(job)
            if event is not None:
                self._fold([event])
                self._launch(self._history.jobs[job.number])

    def _start_fresh(self) -> None:
        """Take together what begins at its beginning, where no start needs a look at a budget."""
        while not self._meter.bounded:
            queued = [job.number for job in self._history.queued if not (job.starts or job.start)]
            if len(wanted := queued[: self._free()]) < 2:
                return
            self._fold(
                self._store.start_all(self._study, wanted, self._owner, self._settings.lease)
            )
            self._sync()
            jobs = [self._history.jobs[number] for number in wanted]
            mine = [job for job in jobs if job.owner == self._owner]
            self._tokens.update({job.number: job.token for job in mine})
            for job in mine:
                self._launch(job)

    def _take_job(self, job: JobRecord) -> Event | None:
        """Take a queued job, unless another driver does, or the budget is spent first.

        A bound on seconds or cost holds for all drivers together: a job starts only if nothing
        has happened since this driver last looked what is left.
        """
        resume = self._keeper.resume(self._history, job)
        while job.state is State.QUEUED and not self._spent():
            seen = self._history.last if self._meter.bounded else None
            event = self._store.start(
                self._study, job.number, self._owner, self._settings.lease, resume, seen
            )
            if event is not None:
                return event
            self._sync()
        return None

    def _launch(self, job: JobRecord) -> None:
        self._tokens[job.number] = job.token
        kept = self._kept.of(job)
        if kept is not None:
            self._finish(kept)  # an earlier run came to its end, and nobody was left to say so
        elif self._obedience.unwanted(job):
            self._finish(Outcome(job.number, State.STOPPED, message=STOPPED))
        else:
            try:
                self._executor.start(self._task(job))
            except OSError:
                self._places.check()
                raise

    def _task(self, job: JobRecord) -> Task:
        problem, trial = self._history.problem, self._history.trials[job.trial]
        return Task(
            trial=job.trial,
            job=job.number,
            config=trial.config,
            fidelity=job.fidelity,
            objective=problem.objective,
            seed=derived_seed(problem.seed, job.trial),
            first_step=job.first_step,
            start=self._keeper.places(job.start),
            folder=self._kept.folder(job.trial),
            checkpoints=self._keeper.url(job.trial),
            timeout=self._settings.timeout,
            study=self._settings.study,
            attempt=job.starts,
            token=job.token,
        )

    def _on_report(self, number: int, report: Report) -> Decision:
        job = self._history.jobs[number]
        body = Reported(
            job.trial, number, report.step, dict(report.metrics), report.cost, report.seconds
        )
        if not self._record(number, body):
            return Decision(trial=job.trial)
        self._keeper.prune(self._history, job.trial)
        asked = self._obedience.answer(job, inline=self._inline)
        if asked is not None:
            return asked
        for decision in self._scheduler.decide(self._history, job.trial):
            if not decision:
                self._orders[decision.trial] = decision
        return self._orders.pop(job.trial, Decision(trial=job.trial))

    def _finish(self, outcome: Outcome) -> None:
        job = self._history.jobs[outcome.job]
        if outcome.job not in self._tokens:
            return
        self._places.excuse(outcome)
        outcome = self._obedience.judged(job, outcome)
        self._orders.pop(job.trial, None)
        if outcome.lost:
            body: Ended | Requeued = again(job, outcome.message, self._settings.retries)
        else:
            body = ended(job, outcome)
        try:
            if self._record(outcome.job, body):
                self._kept.drop(job)
        except StoreError as error:
            if outcome.lost:
                raise
            raise type(error)(
                [*error.problems, self._kept.keep(job, outcome)],
                hint="mend the store and run the same command; the result is taken from there",
            ) from error
        self._tokens.pop(outcome.job, None)
        self._keeper.prune(self._history, job.trial, over=True)

    def _record(self, job: int, body: Reported | Ended | Requeued) -> bool:
        """Write what a job did; a job whose lease is lost is ended and forgotten."""
        try:
            token = {job: self._tokens[job]}
            events = self._store.record(self._study, token, [body])
        except LeaseLostError:
            self._tokens.pop(job, None)
            self._executor.cancel(job)
            return False
        self._fold(events)
        return True

    # --- the rest of the world -------------------------------------------------------------

    def _fold(self, events: Sequence[Event]) -> None:
        """Take in what this driver has just written."""
        self._meter.hear(events)
        take_in(self._history, self._store, self._study, events)

    def _sync(self) -> None:
        self._next_look = time.monotonic() + LOOK_SECONDS
        catch_up(self._history, self._store, self._study)

    def _upkeep(self) -> None:
        for job, token in self._heartbeat.lost():
            if self._tokens.get(job) == token:
                self._tokens.pop(job)
                self._executor.cancel(job)
        now = time.monotonic()
        if now >= self._next_lost:
            self._next_lost = now + self._settings.lease / 12
            self._company.look(self._history)
            self._recover_lost(self._suspects.certain(self._store.lost(self._study), now))

    def _recover_lost(self, found: Sequence[LostJob]) -> None:
        """Adopt what dead drivers left running; take results that were left; requeue the rest."""
        jobs = self._history.jobs
        rows = [row for row in found if row.job not in self._tokens and row.job < len(jobs)]
        if not rows:
            return
        alive = survivors(self._executor, [self._task(jobs[row.job]) for row in rows])
        self._adopt([row for row in rows if row.job in alive])
        for lost in rows:
            if lost.job in alive:
                continue
            job, heard = jobs[lost.job], last_alive(lost, self._settings.lease)
            kept = self._kept.of(job)
            body: Ended | Requeued = again(job, lost.reason, self._settings.retries, heard)
            if kept is not None:
                body = ended(job, kept)
            try:
                self._fold(self._store.record(self._study, {lost.job: lost.token}, [body]))
            except LeaseLostError:
                continue  # another driver was quicker
            self._kept.drop(job)

    def _adopt(self, rows: Sequence[LostJob]) -> None:
        """Take over jobs that go on without their driver; another driver may be quicker."""
        taken = []
        for lost in rows:
            event = self._store.adopt(self._study, lost, self._owner, self._settings.lease)
            if event is not None:
                self._fold([event])
                self._tokens[lost.job] = self._history.jobs[lost.job].token
                taken.append(lost.job)
        if not taken or not isinstance(self._executor, Adopting):
            return
        known = report_counts(self._store.read(self._study), taken)
        for number in taken:
            self._executor.adopt(self._task(self._history.jobs[number]), known[number])

    def _give_back(self, reason: str) -> None:
        """Cancel what runs here and put it back in the queue."""
        for number in list(self._tokens):
            self._executor.cancel(number)
            job = self._history.jobs[number]
            kept = self._kept.of(job)
            body = Requeued(job.trial, number, reason) if kept is None else ended(job, kept)
            token = self._tokens.pop(number)
            try:
                self._store.record(self._study, {number: token}, [body])
            except StoreError:
                continue  # the lease runs out, or its owner is found dead, and it is requeued then
            self._kept.drop(job)

    def _show(self, *, force: bool = False) -> None:
        if self._settings.watch is None:
            return
        now = time.monotonic()
        if force or now >= self._next_watch:
            self._next_watch = now + WATCH_SECONDS
            self._settings.watch(self._history, dict.fromkeys(self._tokens, self._owner))
