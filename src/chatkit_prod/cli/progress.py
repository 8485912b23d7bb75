"""How far a sweep is: a moving line on a terminal, a plain line per batch otherwise."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from chatkit_prod.retention import SweepReport


class SweepProgress:
    """Shows the report so far.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("…", total=None)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, report: SweepReport) -> None:
        """Show what has been done so far."""
        if self._console.is_terminal:
            self._bar.update(self._task, description=summary(report))
        else:
            self._console.print(summary(report), soft_wrap=True, highlight=False)


def summary(report: SweepReport) -> str:
    """Return a report as a line."""
    verb = "would be deleted" if report.dry_run else "deleted"
    return (
        f"{report.deleted} threads and {report.attachments} attachments {verb}, "
        f"{report.kept} kept, {report.held} held, {report.failed} failed"
    )
