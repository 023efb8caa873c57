"""``maquette watch STUDY --log FILE``: the target's own run beside what its proxies foretell."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from maquette.errors import DataError

if TYPE_CHECKING:
    from maquette.study import Study

_NUMBER = r"([+-]?(?:\d[\d,_]*\.?\d*(?:[eE][+-]?\d+)?|nan|inf))"
_STEP = re.compile(rf"\b(?:tokens|step|steps|iter|iteration)\b\W{{0,4}}{_NUMBER}", re.IGNORECASE)
_LOSS = re.compile(rf"\b(?:train[_ /]?)?loss\b\W{{0,4}}{_NUMBER}", re.IGNORECASE)
# Columns and keys in lower case, those that are meant first.
_STEPS = ("tokens", "step", "steps", "iter", "iteration", "global_step", "train/global_step",
          "trainer/global_step", "_step")  # fmt: skip
_LOSSES = ("loss", "train_loss", "train/loss", "training_loss", "value")


def against_log(study: Study, log: Path, total: float | None, at: dict[str, float]) -> Any:
    """Compare a log with a study's proxies; return a `maquette.scaling.watch.Look`.

    Parameters
    ----------
    study
        With a scale and finished trials.
    log
        Of the target's run.
    total
        Tokens, or steps, of the whole run, in the log's own unit.
    at
        The target's scale; axes left out as the study says.
    """
    from maquette.scaling.watch import Watch
    from maquette.scaling.watched import curves

    if total is None:
        raise typer.BadParameter(
            "how long is the whole run, in the log's own steps or tokens?", param_hint="--total"
        )
    places, losses = read_log(log)
    if places[-1] > 1.01 * total:
        raise typer.BadParameter(
            f"{log} goes to {places[-1]:g}, and the whole run is given as {total:g}: give its "
            "length in the log's own steps or tokens",
            param_hint="--total",
        )
    watch = Watch(study.transfer(**at), curves(study.history))
    return watch.look([p / total for p in places], losses)


def read_log(path: Path) -> tuple[list[float], list[float]]:
    """Return the steps, or tokens, and losses of a log.

    JSON lines, text that names both, a table with a header (CSV, or with tabs or semicolons, as
    exported by Weights & Biases and TensorBoard too), or ``trainer_state.json`` of transformers. A
    restart that repeats steps replaces what it repeats.

    Raises
    ------
    DataError
        There is no file, or no line with both.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    places: list[float] = []
    losses: list[float] = []
    for place, loss in _rows(text):
        if math.isnan(place):
            continue
        while places and places[-1] >= place:
            places.pop()
            losses.pop()
        places.append(place)
        losses.append(loss)
    if not places:
        raise DataError(
            f"{path} has no line with a step and a loss",
            hint='lines such as {"step": 100, "loss": 3.2}, or: step 100 loss 3.2, or a table with '
            "columns step and loss",
        )
    return places, losses


def _rows(text: str) -> Iterator[tuple[float, float]]:
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    header = lines[start] if lines[start:] else ""
    if header.strip() == "{" or '"log_history"' in header:
        yield from _from_state(text)
        return
    for mark in (",", "\t", ";"):
        columns = _columns(next(csv.reader([header], delimiter=mark), []))
        if columns is not None and not header.lstrip().startswith("{"):
            for cells in csv.reader(lines[start + 1 :], delimiter=mark):
                pair = [cells[i] if i < len(cells) else "" for i in columns]
                yield from _pair(*(x.replace(",", ".") if mark == ";" else x for x in pair))
            return
    for line in lines:
        found = _from_json(line) if line.lstrip().startswith("{") else _from_text(line)
        if found is not None:
            yield found


def _columns(header: list[str]) -> tuple[int, int] | None:
    """Where a table's steps and training losses stand; ``None``: this is no such header."""
    names = [h.strip().lower() for h in header]
    step = next((names.index(k) for k in _STEPS if k in names), None)
    loss = next((names.index(k) for k in _LOSSES if k in names), None)
    if loss is None:  # "run name - train/loss", beside "... - train/loss__MIN"
        ends = [n.rpartition(" - ")[2] for n in names]
        loss = next((ends.index(k) for k in _LOSSES if k in ends), None)
    return None if step is None or loss is None else (step, loss)


def _pair(step: str, loss: str) -> Iterator[tuple[float, float]]:
    """A row's numbers; none where a cell is empty, as in rows of other metrics."""
    try:
        yield float(step), float(loss)
    except ValueError:
        return


def _from_state(text: str) -> Iterator[tuple[float, float]]:
    try:
        history = json.loads(text)["log_history"]
    except (ValueError, KeyError, TypeError):
        return
    for row in history if isinstance(history, list) else ():
        found = _from_mapping(row)
        if found is not None:
            yield found


def _from_json(line: str) -> tuple[float, float] | None:
    try:
        return _from_mapping(json.loads(line))
    except ValueError:
        return None


def _from_mapping(given: object) -> tuple[float, float] | None:
    row = {str(k).lower(): v for k, v in given.items()} if isinstance(given, dict) else {}
    step = next((row[k] for k in _STEPS if k in row), None)
    loss = next((row[k] for k in _LOSSES if k in row), None)
    if step is None or loss is None:
        return None
    try:
        return float(step), float(loss)
    except (TypeError, ValueError):
        return None


def _from_text(line: str) -> tuple[float, float] | None:
    step, loss = _STEP.search(line), _LOSS.search(line)
    if step is None or loss is None:
        return None
    try:
        return _value(step.group(1)), _value(loss.group(1))
    except ValueError:
        return None


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("_", ""))


def document(look: Any) -> dict[str, Any]:
    """Return a look, JSON-ready."""
    return {
        "state": look.state,
        "progress": look.progress,
        "loss": look.loss,
        "band": list(look.band),
        "probability_on_course": look.probability,
        "causes": dict(look.causes),
        "text": look.text,
        "advice": look.advice,
    }
