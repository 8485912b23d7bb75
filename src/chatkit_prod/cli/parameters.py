"""Options that several commands have."""

import re
from datetime import timedelta
from typing import Annotated, Final

import typer

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

TargetName = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:ATTRIBUTE", help="A Store, a ChatKitServer, or a function that returns one."
    ),
]
Attachments = Annotated[
    str | None,
    typer.Option(metavar="MODULE:ATTRIBUTE", help="The AttachmentStore; that of the server by default."),
]
Context = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:ATTRIBUTE",
        help="What the store takes as context, if no RequestContext; or a function.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and count, delete nothing.")]
Batch = Annotated[int, typer.Option(help="Threads of a batch.", min=1, max=1000)]
Pause = Annotated[float, typer.Option(help="Seconds between two batches.", min=0)]
Reason = Annotated[str, typer.Option(help="For the audit record, such as the number of a case.")]


def duration(text: str) -> timedelta:
    """Return an age such as `30d`, `12h` or `2w`.

    Raises:
        BadParameter: It is something else.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", text)
    if found is None:
        raise typer.BadParameter("write a number and m, h, d or w, such as 30d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
