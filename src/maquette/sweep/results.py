"""What a program says of itself: metrics at its end, and measurements on the way.

Four forms: JSON objects on stdout, one a line; a bare number on stdout; regular expressions, one a
metric; a JSON file. Whatever the form, the last result counts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from maquette.errors import ProgramError, nearest
from maquette.number import as_number

STEP = "step"
_LARGEST_FILE = 10_000_000
_SHOWN = 12

Metrics = dict[str, Any]


@final
@dataclass(frozen=True, slots=True)
class Form:
    """How a program gives its results.

    Parameters
    ----------
    kind
        ``"json"``, ``"number"``, ``"regex"`` or ``"file"``.
    patterns
        Metric to regular expression.
    file
        Path with placeholders.
    primary
        The metric without which there is no result.
    step
        Names under which a JSON line may hold the step that it was measured at.
    """

    kind: str = "json"
    patterns: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    primary: str = "loss"
    step: tuple[str, ...] = (STEP,)

    @property
    def live(self) -> bool:
        """Whether measurements on the way can be told from what the program prints."""
        if self.kind == "regex":
            return any(STEP in re.compile(p).groupindex for p in self.patterns.values())
        return self.kind == "json"


@final
@dataclass(frozen=True, slots=True)
class Measurement:
    """Metrics at a step of the run."""

    step: float
    metrics: Mapping[str, float]


@final
class Reader:
    """Reads the lines of one program's output, and says in the end what the result is."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._patterns = {name: re.compile(p) for name, p in form.patterns.items()}
        self._found: Metrics = {}
        self._on_the_way: Metrics = {}
        self._other: list[str] = []
        self.count = 0

    def take(self, line: str, *, is_error: bool = False) -> Measurement | None:
        """Read a line; return the measurement that it holds, if any.

        Parameters
        ----------
        is_error
            The line stood on stderr, where regular expressions look too.
        """
        match self._form.kind:
            case "json" if not is_error:
                return self._take_json(line)
            case "number" if not is_error:
                number = _number(line.strip())
                if number is not None:
                    self._keep({self._form.primary: number})
            case "regex":
                return self._take_match(line)
        return None

    def note(self, metrics: Mapping[str, float]) -> None:
        """Take metrics that the program reported in another way than by printing them."""
        self._on_the_way = dict(metrics)

    def result(self) -> Metrics:
        """Return the metrics.

        Raises
        ------
        ProgramError
            If there are none, or none of the primary metric.
        """
        found = self._found or self._on_the_way
        if self._form.kind == "regex":
            found = self._on_the_way | self._found
        if self._form.primary in found:
            return found
        text, hint = self._missing()
        raise ProgramError(text, hint=hint)

    def _missing(self) -> tuple[str, str]:
        primary = self._form.primary
        if self._other:
            names = ", ".join(self._other[:_SHOWN])
            text = f"no result has the metric {primary!r}; the last one has {names}."
            return text + _meant(primary, self._other), f"print {primary!r}, or name the metric"
        ways = {
            "json": (
                "the program ended well and printed no result",
                f'let it print one line of JSON, for example {{"{primary}": 0.31}}',
            ),
            "number": (
                "the program ended well and printed no line that is a bare number",
                "let it print one, or set result to what it prints",
            ),
        }
        pattern = self._form.patterns.get(primary)
        otherwise = (
            f"nothing that the program printed matches {pattern!r}, which finds {primary!r}",
            "patterns are matched line by line, on stdout and stderr; see the trial's log.txt",
        )
        return ways.get(self._form.kind, otherwise)

    def _take_json(self, line: str) -> Measurement | None:
        document = _json_object(line)
        if document is None:
            return None
        primary = self._form.primary
        if primary not in document:
            self._other = list(document) or self._other
            return None
        metrics = {k: math.nan if v is None else v for k, v in document.items()}
        key = next((k for k in self._form.step if as_number(document.get(k)) is not None), None)
        if key is None:
            self._keep(metrics)
            return None
        numbers = {k: n for k, v in metrics.items() if (n := as_number(v)) is not None}
        step = numbers.pop(key)
        self._on_the_way = {k: v for k, v in metrics.items() if k != key}
        return Measurement(step, numbers) if primary in numbers else None

    def _take_match(self, line: str) -> Measurement | None:
        metrics: Metrics = {}
        step: float | None = None
        for name, pattern in self._patterns.items():
            for match in pattern.finditer(line):
                value = _number(_value(match))
                if value is not None:
                    metrics[name] = value
                if STEP in pattern.groupindex:
                    step = _number(match[STEP]) if match[STEP] else step
        if not metrics:
            return None
        primary = self._form.primary
        if step is None:
            self.count += primary in metrics
            self._found |= metrics
            return None
        self._on_the_way |= metrics
        return Measurement(step, metrics) if primary in metrics else None

    def _keep(self, metrics: Metrics) -> None:
        self._found = metrics
        self.count += 1


def read_file(path: Path, form: Form, before: tuple[int, ...] | None) -> Metrics:
    """Read a result file.

    Parameters
    ----------
    before
        What `stamp` said of the file before the program ran.

    Raises
    ------
    ProgramError
        If there is no file, it is as old as before, or holds no result.
    """
    now = stamp(path)
    if now is None:
        raise ProgramError(f"the program ended well and wrote no {path}")
    if now == before:
        raise ProgramError(
            f"the program ended well and left {path} as an earlier run had written it",
            hint="put {folder} into the file's path, so that every trial has its own",
        )
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE).decode("utf-8", errors="replace")
    except OSError as error:
        raise ProgramError(f"{path} cannot be read: {error.strerror}") from None
    number = _number(text.strip())
    if number is not None:
        return {form.primary: number}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = next(filter(None, map(_json_object, reversed(text.splitlines()))), None)
    if not isinstance(document, dict):
        raise ProgramError(f"{path} holds neither a JSON object nor a number")
    if form.primary not in document:
        names = ", ".join(list(document)[:_SHOWN]) or "nothing"
        raise ProgramError(
            f"{path} has no metric {form.primary!r}; it has {names}."
            + _meant(form.primary, list(document))
        )
    return {k: math.nan if v is None else v for k, v in document.items()}


def stamp(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is written; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _meant(primary: str, found: list[str]) -> str:
    suggestion = nearest(primary, found)
    return suggestion if "Did you mean" in suggestion else ""


def _json_object(line: str) -> dict[str, Any] | None:
    """Return the JSON object that ends a line, if one does; a launcher may prefix its rank."""
    begin = line.find("{")
    if begin < 0 or not line.rstrip().endswith("}"):
        return None
    try:
        document = json.loads(line[begin:])
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _value(match: re.Match[str]) -> str:
    """Return the group called value, else the first that is not the step, else the whole match."""
    names = match.re.groupindex
    if "value" in names:
        return match["value"] or ""
    groups = [i for i in range(1, match.re.groups + 1) if i != names.get(STEP)]
    return (match[groups[0]] if groups else match[0]) or ""


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
