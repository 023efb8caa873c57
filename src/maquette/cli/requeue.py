"""``maquette requeue``: try trials again whose machine failed, not their config."""

from __future__ import annotations

from typing import Annotated

import typer

from maquette.cli.open import acting_study
from maquette.cli.options import AsJson, StoreUrl, StudyName
from maquette.cli.output import emit
from maquette.cli.values import names, whole


def requeue(
    study: StudyName,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="STATE,...",
            help="Trials that ended so and were not tried again yet. Default: crashed,oom,timeout.",
        ),
    ] = None,
    trial: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            parser=whole(0),
            help="This trial, however it ended; may be given several times.",
        ),
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Try failed trials again.

    Their configs run as new trials, before anything else, in the runs that are under way or in
    the next one, even if the budget of trials is spent. The old trials stay as they ended.

    Example: maquette requeue my-study --state oom
    """
    states = names(state, "--state") if state else None
    numbers = acting_study(study, store).requeue(trial or None, states=states)
    again = ", ".join(map(str, numbers))
    text = f"to be tried again: trial {again}" if numbers else "nothing to requeue"
    emit({"study": study, "requeued": numbers}, f"{study}: {text}", as_json)
