"""One tuner behind lines of JSON: a request on stdin, its answer on stdout.

``{"op": "start", "method": ..., "space": ..., "seed": ..., ...}`` comes first; then ``ask``,
``tell``, ``observe``, ``report`` and ``recommend`` in any order. An answer is ``{"ok": ...}``,
``{"unsupported": why}`` or ``{"error": traceback}``. What the tuner prints goes to stderr.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import traceback
import warnings
from collections.abc import Mapping
from typing import Any, TextIO

from .base import (
    Adapter,
    Observes,
    Problem,
    Recommends,
    Result,
    Schedules,
    UnsupportedError,
    parameters,
)

PACKAGE = __name__.rpartition(".")[0]


def main(name: str) -> None:
    """Serve the adapter ``with_<name>`` until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    adapter: Adapter | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["op"] == "start":
                adapter, answer = _start(name, request)
            else:
                answer = _answer(_started(adapter), request)
        except UnsupportedError as why:
            _say(answers, {"unsupported": str(why)})
        except Exception:
            _say(answers, {"error": traceback.format_exc(limit=-6)})
        else:
            _say(answers, {"ok": answer})


def _say(answers: TextIO, answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer, default=_plain) + "\n")
    answers.flush()


def _started(adapter: Adapter | None) -> Adapter:
    if adapter is None:
        raise UnsupportedError("the first request must be start")
    return adapter


def _start(name: str, request: Mapping[str, Any]) -> tuple[Adapter, dict[str, Any]]:
    module = importlib.import_module(f"{PACKAGE}.with_{name}")
    duration = request.get("duration")
    problem = Problem(
        request["method"],
        parameters(request["space"]["parameters"]),
        request["seed"],
        request.get("trials"),
        request.get("workers", 1),
        (float(duration[0]), float(duration[1])) if duration else None,
    )
    adapter = module.start(problem)
    abilities = {
        "observes": isinstance(adapter, Observes),
        "schedules": isinstance(adapter, Schedules),
        "recommends": isinstance(adapter, Recommends),
    }
    versions = {d: importlib.metadata.version(d) for d in module.DISTRIBUTIONS}
    return adapter, {"versions": versions, **abilities}


def _answer(adapter: Adapter, request: Mapping[str, Any]) -> Any:
    match request["op"]:
        case "ask":
            proposal = adapter.ask(request["trial"])
            if proposal is None:
                return None
            config = {name: _plain(value) for name, value in proposal.config.items()}
            return {"config": config, "until": proposal.until}
        case "tell":
            adapter.tell(
                request["trial"],
                Result(request["state"], request["loss"], request["seconds"], request["cost"]),
            )
        case "observe" if isinstance(adapter, Observes):
            adapter.observe(request["config"], request["loss"])
        case "report" if isinstance(adapter, Schedules):
            return adapter.report(
                request["trial"], request["step"], request["loss"], request["seconds"]
            )
        case "recommend" if isinstance(adapter, Recommends):
            found = adapter.recommend()
            return None if found is None else {n: _plain(v) for n, v in found.items()}
        case op:
            raise UnsupportedError(f"this tuner cannot {op}")
    return None


def _plain(value: Any) -> Any:
    """Return a numpy scalar as Python's own."""
    item = getattr(value, "item", None)
    return item() if callable(item) else value
