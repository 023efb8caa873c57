"""Write docs/cli.md from the command line itself (``--print``: to stdout)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from maquette.cli import app

HEAD = """# The command line

Every verb takes `--json` and then prints one JSON document. Data goes to stdout, progress and
errors to stderr. Exit codes: 0 done, 1 the job failed, 2 wrong usage, 3 interrupted; after 3 the
same command resumes. `MAQUETTE_STORE` names the default store; `NO_COLOR` is respected.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(section(n, c) for n, c in verbs().items())])


def verbs(group: Any = None, before: str = "") -> dict[str, Any]:
    """Return every verb by its name, those of a group as ``bench run``."""
    found: dict[str, Any] = {}
    commands = (group or typer.main.get_command(app.build())).commands
    for name, command in commands.items():
        inner = hasattr(command, "commands")
        found |= verbs(command, f"{before}{name} ") if inner else {before + name: command}
    return found


def section(name: str, command: Any) -> str:
    """Return one verb's section."""
    usage = " ".join([f"maquette {name}", *(_usage(p) for p in command.params if _usage(p))])
    paragraphs = [" ".join(p.split()) for p in (command.help or "").split("\n\n")]
    text = "\n\n".join(_example(p) for p in paragraphs)
    rows = [f"| `{_label(p)}` | {p.help}{_default(p)} |" for p in command.params]
    listing = "\n".join(["| | |", "| --- | --- |", *rows])
    return f"## maquette {name}\n\n```text\n{usage}\n```\n\n{text}\n\n{listing}\n"


def _example(paragraph: str) -> str:
    before, mark, command = paragraph.partition("Example: ")
    return f"```sh\n{command}\n```" if mark and not before else paragraph


def _usage(parameter: Any) -> str:
    if parameter.param_type_name != "argument":
        return ""
    name = str(parameter.metavar)
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _label(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar).replace("|", "\\|")
    names = ", ".join(parameter.opts)
    return names if parameter.is_flag else f"{names} {_value(parameter)}".replace("|", "\\|")


def _value(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    choices = getattr(getattr(parameter, "type_descriptor", None), "choices", None)
    if choices:
        return "|".join(str(getattr(c, "value", c)) for c in choices)
    return str(parameter.name).upper()


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required or value is None or isinstance(value, bool) or callable(value):
        return ""
    return f" Default: `{getattr(value, 'value', value)}`."


if __name__ == "__main__":
    if "--print" in sys.argv:
        print(page(), end="")
    else:
        Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
