"""Events: the only record of a study. What everything else is folded from.

An event never changes. Its number is given by the store, under the study's lock, so that commit
order is number order and a reader that goes on from the last number it saw skips nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, final, overload, runtime_checkable

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


@runtime_checkable
class Form(Protocol):
    """How a store keeps bodies as text."""

    def body(self, kind: str, trial: int | None, job: int | None, text: str) -> Body:
        """Decode one text; StoreError if it is damaged."""

    def ends(self, rows: Sequence[Row]) -> list[Ended]:
        """Decode those of the rows that are ends, all at once; StoreError if one is damaged."""


Row = Sequence[Any]
"""Number, time, kind, trial and job (None: of the whole study), and the body: itself, or its text.
"""


@final
class Event:
    """A numbered body; `time` is the store's clock, in seconds since the epoch.

    A body that is given as text is decoded at the first look. StoreError if the text is damaged.
    """

    __slots__ = ("_content", "_form", "job", "kind", "number", "time", "trial")

    def __init__(self, number: int, time: float, body: Body) -> None:
        self.number = number
        self.time = time
        self.kind = _NAMES[type(body)]
        self.trial, self.job = place_of(body)
        self._content: Any = body
        self._form: Form | None = None

    @classmethod
    def of(cls, row: Row, form: Form) -> Event:
        """Return the event of a row that holds text."""
        self = cls.__new__(cls)
        self.number, self.time, self.kind, self.trial, self.job, self._content = row
        self._form = form
        return self

    @property
    def body(self) -> Body:
        """What happened."""
        if self._form is not None:
            self._content = self._form.body(self.kind, self.trial, self.job, self._content)
            self._form = None
        body: Body = self._content
        return body

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        mine, theirs = (self.number, self.time), (other.number, other.time)
        return mine == theirs and self.body == other.body

    def __hash__(self) -> int:
        return hash((self.number, self.time))

    def __repr__(self) -> str:
        return f"Event({self.number}, {self.time}, {self.body!r})"


@final
class Events(Sequence[Event]):
    """Events as a store keeps them: each becomes an object when somebody looks at it.

    Parameters
    ----------
    rows
        Rows whose bodies are text.
    form
        Decodes them.
    """

    __slots__ = ("form", "rows")

    def __init__(self, rows: Sequence[Row], form: Form) -> None:
        self.rows = rows
        self.form = form

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Events: ...
    def __getitem__(self, index: int | slice) -> Event | Events:
        if isinstance(index, slice):
            return Events(self.rows[index], self.form)
        return Event.of(self.rows[index], self.form)

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


def rows_of(events: Iterable[Event]) -> tuple[Sequence[Row], Form | None]:
    """Return events as rows, and what decodes their texts; None: they hold bodies."""
    if isinstance(events, Events):
        return events.rows, events.form
    return [(e.number, e.time, e.kind, e.trial, e.job, e.body) for e in events], None


def kind_of(body: Body) -> str:
    """Return the name under which a body is stored."""
    return _NAMES[type(body)]


def place_of(body: Body) -> tuple[int | None, int | None]:
    """Return the trial and the job of a body; None: of the whole study."""
    return getattr(body, "trial", None), getattr(body, "job", None)


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
