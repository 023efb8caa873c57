"""``maquette explain``: an error code in full."""

from __future__ import annotations

from typing import Annotated

import typer

from maquette.cli.options import AsJson
from maquette.cli.output import emit
from maquette.errors import MaquetteError, nearest

_EXPLANATIONS = {
    "MQ000": ("An error of Maquette's own", "The message says what is wrong and how to mend it."),
    "MQ100": (
        "A search space, or a config that does not fit it",
        "Every parameter is a Float, Int or Choice with a range or values. A range must ascend; a "
        "range with log=True must be positive; a default must lie inside; a `when` condition must "
        "name a parameter of the same space and values that it can take, without circles. A "
        "config must hold exactly the active parameters.",
    ),
    "MQ150": (
        "What is optimised, or what a run returned",
        'An objective is "loss", "max:accuracy" or a mq.Objective. A run returns a number or a '
        "mapping that holds every optimised metric. NaN is allowed: the trial counts as diverged.",
    ),
    "MQ200": (
        "Scale: axes, proxies and targets",
        "An axis is (base, target), two positive numbers. A proxy and a target name the declared "
        "axes alone; what they leave out stands at its base, or at its target.",
    ),
    "MQ250": (
        "A table of runs",
        "One row a run, one column a setting, an axis or the loss. Settings and axes may have any "
        "names; axes must be positive. A loss that is empty, nan or inf marks a diverged run, "
        "which is evidence too. At least one run must have a finite loss.",
    ),
    "MQ300": (
        "A study's settings, budget or state",
        "A stored study keeps the space, scale and objective that it was created with; a space may "
        "be widened, never narrowed. A budget is a total over the study's whole life. Give the "
        "study another name to begin anew.",
    ),
    "MQ301": (
        "A run was interrupted",
        "What was finished is in the store; what was running is queued again. The same command "
        "goes on from there. The exit code is 3.",
    ),
    "MQ320": (
        "A sweep file",
        "A sweep file is TOML: [space] says what may vary, [objective] what is best, [trial] what "
        "runs and how its result is read. The command has a placeholder such as {lr} for every "
        "parameter, or {config} for a JSON file with all of them. `maquette init DIR --sweep` "
        "writes a working one.",
    ),
    "MQ350": (
        "A store",
        "A store is a path that ends in .db, sqlite:///FILE or postgresql://HOST/DATABASE. SQLite "
        "needs a local disk: on a network file system its locks do not hold, so use PostgreSQL or "
        "one driver on one machine. `maquette status` lists the studies of a store.",
    ),
    "MQ351": (
        "A store of another version",
        "A newer Maquette wrote this store. Install that version or a later one; a store of an "
        "older version is brought up to date when it is opened for writing.",
    ),
    "MQ352": (
        "A locked store",
        "Another process holds the store for longer than the time limit: often a database browser "
        "with an open transaction, or a stopped process. End it, or wait longer with "
        "sqlite:///FILE?timeout=60.",
    ),
    "MQ353": (
        "A lease was lost",
        "This process was silent for so long that another took its place: a machine that slept, "
        "or a disk that hung. Nothing was written twice; the other process goes on.",
    ),
    "MQ354": (
        "A store that cannot be used for now",
        "Its disk is full, or its database server does not answer. A run waits for a while and "
        "goes on; where it gives up, results are kept in the trial's folder and taken from there "
        "by the next run. Mend the store and give the same command.",
    ),
    "MQ400": (
        "Where jobs run",
        "Another process must be able to find the function: define it with def at the top level of "
        'a file, install cloudpickle, or use executor="inline".',
    ),
    "MQ401": (
        "A program that a sweep runs",
        "The program could not be started, ended with an exit code other than 0, or printed no "
        "result. All that it printed is in log.txt in the trial's folder; `maquette show STUDY "
        "TRIAL` prints the end of it. Its result is one line of JSON on stdout, unless the sweep "
        "file says otherwise.",
    ),
    "MQ402": (
        "A batch system that does not answer",
        "Slurm was asked and gave no answer; it is asked again. Where it stays away, see that "
        "sbatch and squeue work in this shell; jobs that are under way go on, and the same command "
        "finds them again.",
    ),
    "MQ420": (
        "Checkpoints",
        "Checkpoints are kept in each trial's folder, or at a URL that fsspec can write to: s3:// "
        "needs s3fs, gs:// needs gcsfs. One that is gone costs no trial: its job starts from an "
        "older one, or from the beginning, and `maquette show STUDY TRIAL` says so.",
    ),
    "MQ450": (
        "A model's parametrization",
        "The role of every parameter is read from the model built at two widths. The message names "
        "the parameter that fits no role and what to give for it.",
    ),
    "MQ550": (
        "A benchmark",
        "`maquette bench list` shows the tasks and which data they need, `maquette bench fetch` "
        "downloads them. MAQUETTE_DATA names the folder of data. Every file is compared with a "
        "checksum before it is used.",
    ),
    "MQ551": (
        "Another tuner failed",
        "In a comparison its process ended, or raised an exception: the message quotes what it "
        "said last. The run counts with what it had recommended until then; `maquette bench run "
        "... --retry` runs it again.",
    ),
    "MQ552": (
        "Another tuner hangs",
        "It gave no answer within the patience of the comparison and was ended. Give --patience "
        "more seconds and --retry if it is only slow.",
    ),
    "MQ553": (
        "Another tuner cannot do what a task asks",
        "For example it needs a learning curve where a run has one result. It is left out on such "
        "tasks, and the report says why.",
    ),
}


def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="For example MQ250; left out: all codes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain an error code."""
    if code is None:
        rows = [f"{c}  {title}" for c, (title, _) in _EXPLANATIONS.items()]
        emit({c: title for c, (title, _) in _EXPLANATIONS.items()}, "\n".join(rows), as_json)
        return
    wanted = code.upper()
    if wanted not in _EXPLANATIONS:
        raise MaquetteError(f"there is no code {code!r}." + nearest(wanted, _EXPLANATIONS))
    title, text = _EXPLANATIONS[wanted]
    document = {"code": wanted, "title": title, "explanation": text}
    emit(document, f"{wanted}: {title}\n\n{text}", as_json)
