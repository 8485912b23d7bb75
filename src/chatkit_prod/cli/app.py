"""All commands; each concern has its own module, and one line here."""

import typer

from . import holds, requests, sweeping

app = typer.Typer(
    name="chatkit-prod",
    help="Jobs on the store of a ChatKit server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("sweep")(sweeping.sweep)
app.command("export")(requests.export)
app.command("erase")(requests.erase)
app.command("hold")(holds.hold)
app.command("release")(holds.release)
