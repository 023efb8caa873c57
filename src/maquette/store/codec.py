"""Event bodies as strict JSON text, compact, and back without loss.

JSON has no NaN and no infinity, and the JSON functions of databases choke on Python's spelling of
them. They are written as ``{"$": "nan"}``, ``{"$": "inf"}`` and ``{"$": "-inf"}``; a mapping that
has a key "$" of its own is wrapped, ``{"$": {...}}``. Floats keep every bit (shortest repr), and
all text is ASCII, so that any database takes it; half of a surrogate pair, which is no character,
becomes "?". Fields at their default are left out, and the trial and job stand in columns of their
own.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any, cast, final, get_args

from maquette.errors import StoreError
from maquette.events import (
    Body,
    BudgetChanged,
    Ended,
    Requeued,
    Row,
    SpaceChanged,
    Started,
    from_json,
    kind_of,
    place_of,
)
from maquette.trial import State

_MANY = 1_000
_KEYS = ("trial", "job")
_STATES = {state.value: state for state in State}
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _defaults(cls: type[Any]) -> tuple[tuple[str, Any], ...]:
    rows = []
    for field in fields(cls):
        if field.name not in _KEYS:
            factory = field.default_factory
            rows.append((field.name, field.default if factory is MISSING else factory()))
    return tuple(rows)


_FIELDS: dict[type[Any], tuple[tuple[str, Any], ...]] = {
    cls: _defaults(cls) for cls in get_args(Body)
}
_VALUES = {cls: attrgetter(*(f.name for f in fields(cls))) for cls in get_args(Body)}
# These hold nothing mutable if their fields are scalars.
_FLAT = (Started, Requeued, BudgetChanged)
_NUMBERS = frozenset((float, int, bool, type(None)))
_SCALARS = _NUMBERS | {State}


def dumps(value: Any) -> str:
    """Write a JSON-ready value as strict JSON.

    Raises
    ------
    StoreError
        If it holds something that JSON cannot say.
    """
    try:
        text = _ENCODER.encode(value)
        return _strict(value) if '"$"' in text or "\\ud" in text else text
    except ValueError:
        return _strict(value)
    except (TypeError, RecursionError) as error:
        raise _unwritable(error) from None


def loads(text: str) -> Any:
    """Read what `dumps` wrote; StoreError if it did not write this."""
    return loads_all([text])[0]


def encode(body: Body) -> str:
    """Write a body, without its trial and job, as JSON text."""
    data = {}
    for name, default in _FIELDS[type(body)]:
        value = getattr(body, name)
        # repr tells -0.0 from 0.0
        if type(value) is not type(default) or value != default or repr(value) != repr(default):
            data[name] = value
    return dumps(data)


def decode(kind: str, trial: int | None, job: int | None, data: Mapping[str, Any]) -> Body:
    """Make a body of its parts; `data` has been read by `loads`."""
    try:
        return from_json(kind, data if trial is None else {"trial": trial, "job": job, **data})
    except (TypeError, ValueError) as error:
        raise StoreError(f"an event of kind {kind!r} cannot be read: {error}") from None


@final
class JSONForm:
    """Reads what `encode` wrote."""

    def body(self, kind: str, trial: int | None, job: int | None, text: str) -> Body:
        """Make a body of a text; StoreError if it is damaged."""
        try:
            data = _DECODER.decode(text)
            data = _restored(data) if '"$"' in text else data
        except (ValueError, KeyError, AttributeError) as error:
            raise StoreError(f"the store holds text that is not its JSON: {error}") from None
        if not isinstance(data, dict):
            raise StoreError(f"the store holds text that is not its JSON: {text[:60]!r}")
        return decode(kind, trial, job, data)

    def ends(self, rows: Sequence[Row]) -> list[Ended]:
        """Make the bodies of all ends among the rows; StoreError if one is damaged."""
        found = [row for row in rows if row[2] == "ended"]
        ends = []
        for row, data in zip(found, loads_all([row[5] for row in found]), strict=True):
            try:
                ends.append(Ended(row[3], row[4], _STATES[data.pop("state")], **data))
            except (AttributeError, KeyError, TypeError):
                ends.append(cast("Ended", self.body(*row[2:])))  # says what is wrong
        return ends


def loads_all(texts: Sequence[str]) -> list[Any]:
    """Read many texts at once; several times faster than one by one."""
    try:
        values = json.loads(f"[{','.join(texts)}]")
        return [
            _restored(value) if '"$"' in text else value
            for text, value in zip(texts, values, strict=True)
        ]
    except (ValueError, KeyError, AttributeError) as error:
        raise StoreError(f"the store holds text that is not its JSON: {error}") from None


@contextlib.contextmanager
def collector_paused(count: int) -> Iterator[None]:
    """Keep the garbage collector from walking over what is being read, if that is much.

    Reading makes objects and no garbage; half of the time would go into looking for some.
    """
    if count < _MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def copied(body: Body) -> Body:
    """Return a body that shares nothing mutable, as a store on disk would give it back."""
    cls: Any = type(body)
    values = () if cls is SpaceChanged else _VALUES[cls](body)
    if values and _are_plain(values):  # an order of magnitude faster than through JSON
        if cls in _FLAT:
            return body
        same: Body = cls(*[dict(v) if type(v) is dict else v for v in values])
        return same
    return decode(kind_of(body), *place_of(body), loads(encode(body)))


def _are_plain(values: Iterable[Any]) -> bool:
    """Whether values come back from JSON as they are: scalars, and mappings of scalars."""
    for value in values:
        kind = type(value)
        if kind in _SCALARS:
            continue
        if kind is dict:
            for key, item in value.items():
                if type(key) is not str or not key.isascii():
                    return False
                if type(item) not in _NUMBERS and not (type(item) is str and item.isascii()):
                    return False
        elif not (kind is str and value.isascii()) and not (kind is tuple and not value):
            return False
    return True


def _plain(value: Any) -> Any:
    """Turn what the encoder does not know into what it does."""
    if isinstance(value, Mapping):
        return dict(value)
    item = getattr(value, "item", None)  # numpy scalars
    if item is not None and getattr(value, "size", None) == 1:
        return item()
    raise TypeError(f"{value!r} (a {type(value).__name__}) is not JSON")


_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_plain)


def _strict(value: Any) -> str:
    try:
        return _ENCODER.encode(_escaped(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise _unwritable(error) from None


def _unwritable(error: Exception) -> StoreError:
    return StoreError(
        f"cannot be stored: {error}", hint="use numbers, strings, booleans, None, lists, mappings"
    )


def _escaped(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")}
    if isinstance(value, Mapping):
        inner = {_escaped(key): _escaped(item) for key, item in value.items()}
        return {"$": inner} if "$" in inner else inner
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, int | float):
        return value
    return _escaped(_plain(value))


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if "$" not in value:
            return {key: _restored(item) for key, item in value.items()}
        mark = value["$"]
        if isinstance(mark, str):
            return _FLOATS[mark]
        return {key: _restored(item) for key, item in mark.items()}
    if isinstance(value, list):
        return [_restored(item) for item in value]
    return value
