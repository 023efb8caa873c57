"""Events: the only record of a study. What everything else is folded from.

An event never changes. Its number is given by the store, under the study's lock, so that commit
order is number order and a reader that goes on from the last number it saw skips nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, final

from maquette.errors import StoreError
from maquette.instances import Instance
from maquette.trial import State


@final
@dataclass(frozen=True, slots=True)
class Proposed:
    """A job was proposed; `config` is given for the first job of a trial, else None.

    `basis` is the number of the last event that the proposal was computed from: with the study's
    seed it makes the proposal recomputable.
    """

    trial: int
    job: int
    config: Mapping[str, Any] | None
    until: Mapping[str, float] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    instance: Instance | None = None
    first_step: float = 0.0
    start: tuple[str, ...] = ()
    final: bool = True
    origin: str = "user"
    why: Mapping[str, float] = field(default_factory=dict)
    basis: int = 0


@final
@dataclass(frozen=True, slots=True)
class Started:
    """A job was taken by `owner` under fencing token `token`.

    `first_step` and `start` say from where it goes on, where that is not what was proposed: the job
    was started before and left checkpoints, or one that was proposed is gone. `note` says why.
    `adopted`: from an owner whose lease was lost, while the job itself went on.
    """

    trial: int
    job: int
    owner: str
    token: int
    first_step: float | None = None
    start: tuple[str, ...] | None = None
    note: str = ""
    adopted: bool = False


@final
@dataclass(frozen=True, slots=True)
class Resume:
    """From where a job goes on, where that is not what was proposed; no event, a part of one."""

    first_step: float
    start: tuple[str, ...] = ()
    note: str = ""


@final
@dataclass(frozen=True, slots=True)
class Reported:
    """A running job reported."""

    trial: int
    job: int
    step: float
    metrics: Mapping[str, float]
    cost: float | None = None
    seconds: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """A job ended; `state` is the trial's from now on (paused: the trial will go on).

    `alive` is as in `Requeued`.
    """

    trial: int
    job: int
    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    cost: float | None = None
    seconds: float = 0.0
    message: str = ""
    alive: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Requeued:
    """A job was lost or cancelled and waits to be started again.

    `alive` is the time of the job's last sign of life by the store's clock; None: it ran until now.
    """

    trial: int
    job: int
    reason: str = ""
    alive: float | None = None


@final
@dataclass(frozen=True, slots=True)
class SpaceChanged:
    """The space was changed; `space` is the new one as JSON."""

    space: Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True)
class BudgetChanged:
    """A driver asked for this budget; totals, not additions. None: no bound."""

    trials: int | None = None
    seconds: float | None = None
    cost: float | None = None
    workers: int = 1


@final
@dataclass(frozen=True, slots=True)
class StopAsked:
    """A user asked the drivers at work to stop: the study, or only these trials of it.

    A study drains: what runs ends, nothing new begins. A trial is told at its next report. `now`:
    what runs is cancelled at once, and put back in the queue where the whole study stops.
    """

    trials: tuple[int, ...] = ()
    now: bool = False
    reason: str = ""


@final
@dataclass(frozen=True, slots=True)
class Enqueued:
    """A user asked for a config to be tried next; `of`: the trial that it repeats."""

    config: Mapping[str, Any]
    scale: Mapping[str, float] = field(default_factory=dict)
    origin: str = "user"
    of: int | None = None


@final
@dataclass(frozen=True, slots=True)
class ProgramChanged:
    """The program that a sweep runs, as JSON, and the seconds that one trial of it may take."""

    program: Mapping[str, Any]
    timeout: float | None = None


Order = StopAsked | Enqueued | ProgramChanged
Body = Proposed | Started | Reported | Ended | Requeued | SpaceChanged | BudgetChanged | Order

_KINDS: dict[str, type[Any]] = {
    "proposed": Proposed,
    "started": Started,
    "reported": Reported,
    "ended": Ended,
    "requeued": Requeued,
    "space": SpaceChanged,
    "budget": BudgetChanged,
    "stop": StopAsked,
    "enqueued": Enqueued,
    "program": ProgramChanged,
}
_NAMES = {cls: kind for kind, cls in _KINDS.items()}


@final
class Written:
    """A body as a store keeps it: text, to be decoded when somebody looks."""

    __slots__ = ("decode", "job", "kind", "text", "trial")

    def __init__(
        self, kind: str, trial: int | None, job: int | None, text: str, decode: Decode
    ) -> None:
        self.kind = kind
        self.trial = trial
        self.job = job
        self.text = text
        self.decode = decode

    def body(self) -> Body:
        """Decode the text; StoreError if it is damaged."""
        return self.decode(self.kind, self.trial, self.job, self.text)


Decode = Callable[[str, int | None, int | None, str], Body]


@final
class Event:
    """A numbered body; `time` is the store's clock, in seconds since the epoch.

    A body that is given as text is decoded at the first look. StoreError if the text is damaged.
    """

    __slots__ = ("_body", "number", "time")

    def __init__(self, number: int, time: float, body: Body | Written) -> None:
        self.number = number
        self.time = time
        self._body = body

    @property
    def body(self) -> Body:
        """What happened."""
        body = self._body
        if isinstance(body, Written):
            body = self._body = body.body()
        return body

    @property
    def written(self) -> Written | None:
        """The body's text; None where it was never text, or has been decoded."""
        return self._body if isinstance(self._body, Written) else None

    @property
    def kind(self) -> str:
        """The body's kind, as stored."""
        body = self._body
        return body.kind if isinstance(body, Written) else kind_of(body)

    @property
    def trial(self) -> int | None:
        """Number of the trial that it is of; None: of the whole study."""
        number: int | None = getattr(self._body, "trial", None)
        return number

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        mine, theirs = (self.number, self.time), (other.number, other.time)
        return mine == theirs and self.body == other.body

    def __hash__(self) -> int:
        return hash((self.number, self.time))

    def __repr__(self) -> str:
        return f"Event({self.number}, {self.time}, {self.body!r})"


def kind_of(body: Body) -> str:
    """Return the name under which a body is stored."""
    return _NAMES[type(body)]


def to_json(body: Body) -> dict[str, Any]:
    """Return a body as a JSON-ready mapping (NaN and inf stay floats)."""
    return asdict(body)


def from_json(kind: str, data: Mapping[str, Any]) -> Body:
    """Read what `to_json` wrote.

    Raises
    ------
    StoreError
        If the kind is unknown or the fields do not fit.
    """
    if kind not in _KINDS:
        raise StoreError(f"unknown event kind {kind!r}", hint="a newer Maquette wrote this store")
    fields = dict(data)
    for name in ("start", "trials"):
        if isinstance(fields.get(name), list):
            fields[name] = tuple(fields[name])
    if "state" in fields:
        fields["state"] = State(fields["state"])
    try:
        body: Body = _KINDS[kind](**fields)
    except TypeError as error:
        raise StoreError(f"event of kind {kind!r} cannot be read: {error}") from None
    return body
