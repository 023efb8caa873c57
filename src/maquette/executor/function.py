"""How another process finds the user's function: by module, by file, or carried by cloudpickle.

A module that can be imported is imported. A script that is being run (``__main__``) is executed
again from its file under another name, so that ``if __name__ == "__main__":`` stays closed; what
can be found in neither way (a lambda, a closure, a notebook's cell) travels by cloudpickle over
the pipe, where that is installed. An object that can write itself as JSON travels as that, beside
its class. Nothing of this is ever stored.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any, Protocol, final, runtime_checkable

from maquette.errors import ExecutorError
from maquette.executor.protocol import Function
from maquette.trial import Trial

# As in multiprocessing, so that libraries which look out for that name keep working.
MAIN = "__mp_main__"

_HINT = (
    "define it with def at the top level of a file, pip install cloudpickle, "
    'or use executor="inline"'
)


@runtime_checkable
class Portable(Protocol):
    """A function that is an object, and can be made again elsewhere from JSON."""

    def __call__(self, trial: Trial) -> Any:
        """Run a trial."""

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` needs."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Portable:
        """Make the object again."""


class _ScriptReachedRun(BaseException):
    """A script without a __main__ guard came to the line that starts its own study."""


@final
@dataclass(frozen=True, slots=True)
class Described:
    """A function that another process has described, not looked for yet."""

    reference: Mapping[str, Any]

    def __call__(self, trial: Trial) -> Any:
        """Find the function and run a trial."""
        return find(dict(self.reference))(trial)


@final
class _Preparing:
    """Whether this process is a server that is executing the user's file to get at a function."""

    now = False


def is_preparing() -> bool:
    """Whether the user's file is being executed only to get at a function."""
    return _Preparing.now


def stop_if_preparing() -> None:
    """End the execution of the user's script where it would run its study a second time."""
    if _Preparing.now:
        raise _ScriptReachedRun
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and getattr(processes.current_process(), "_inheriting", False):
        raise ExecutorError(
            "a process that multiprocessing starts is importing this script, and the script "
            "starts a study",
            hint='put what runs under `if __name__ == "__main__":`',
        )


def describe(fn: Function) -> dict[str, Any]:
    """Return what another process needs to find `fn`, as JSON.

    Raises
    ------
    ExecutorError
        If it can be found neither by name nor by cloudpickle.
    """
    if isinstance(fn, Described):
        return dict(fn.reference)
    if isinstance(fn, Portable) and not isinstance(fn, type):
        return {**describe(type(fn)), "data": fn.to_json()}
    module = sys.modules.get(getattr(fn, "__module__", None) or "")
    name = getattr(fn, "__qualname__", "")
    if module is None or not _is_reached(fn, module, name):
        return _carried(fn)
    file = getattr(module, "__file__", None)
    spec = getattr(module, "__spec__", None)
    if module.__name__ != "__main__":
        return {"module": module.__name__, "file": file and os.path.abspath(file), "name": name}
    if spec is not None:  # python -m package.module
        return {"module": spec.name, "file": None, "name": name}
    if file and os.path.isfile(file):
        return {"module": MAIN, "file": os.path.abspath(file), "name": name}
    return _carried(fn)


def module_path() -> list[str]:
    """Return `sys.path` as another process needs it: absolute, whatever folder that starts in."""
    return [os.path.abspath(p or ".") for p in sys.path]


def find(reference: dict[str, Any]) -> Function:
    """Return the function that `describe` described.

    Raises
    ------
    ExecutorError
        If the module no longer has it. Whatever the module raises while it is imported passes.
    """
    if "pickle" in reference:
        cloudpickle = importlib.import_module("cloudpickle")
        carried: Function = cloudpickle.loads(base64.b64decode(reference["pickle"]))
        return carried
    fn: Any = _module(reference["module"], reference["file"])
    for part in reference["name"].split("."):
        fn = getattr(fn, part, None)
    if not callable(fn):
        where = reference["file"] or reference["module"]
        raise ExecutorError(
            f"{reference['name']!r} is not defined in {where} by the time it starts a study",
            hint='define it above, or put what runs under `if __name__ == "__main__":`',
        )
    found: Function = fn.from_json(reference["data"]) if "data" in reference else fn
    return found


def _is_reached(fn: Function, module: ModuleType, name: str) -> bool:
    place: Any = module
    for part in name.split("."):
        place = getattr(place, part, None)
    return place is fn


def _carried(fn: Function) -> dict[str, Any]:
    name = getattr(fn, "__qualname__", repr(fn))
    try:
        cloudpickle = importlib.import_module("cloudpickle")
    except ImportError:
        raise ExecutorError(
            f"another process cannot find the function {name!r}: it is not at the top level of "
            "a file",
            hint=_HINT,
        ) from None
    try:
        data: bytes = cloudpickle.dumps(fn)
    except Exception as error:
        raise ExecutorError(
            f"the function {name!r} cannot travel to another process: {error}", hint=_HINT
        ) from error
    return {"pickle": base64.b64encode(data).decode()}


def _module(name: str, file: str | None) -> ModuleType:
    _Preparing.now = True
    try:
        if name == MAIN or (file is not None and not _importable(name, file)):
            return _execute(name, str(file))
        return importlib.import_module(name)
    except _ScriptReachedRun:
        raise ExecutorError(
            f"module {name!r} starts a study when it is imported",
            hint='put what runs under `if __name__ == "__main__":`',
        ) from None
    finally:
        _Preparing.now = False


def _importable(name: str, file: str) -> bool:
    """Whether importing `name` here gives the module of that very file."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    return (
        spec is not None
        and spec.origin is not None
        and os.path.realpath(spec.origin) == os.path.realpath(file)
    )


def _execute(name: str, file: str) -> ModuleType:
    """Execute a file as module `name`, as far as the line that would run its study."""
    loader = SourceFileLoader(name, file)
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise ExecutorError(f"{file} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if name == MAIN:
        sys.modules["__main__"] = module
        # As of any script: multiprocessing takes a module with a spec for one to import by name.
        module.__spec__ = None
    # What is defined above the line that starts the study is all that a function can need.
    with contextlib.suppress(_ScriptReachedRun):
        loader.exec_module(module)
    return module
