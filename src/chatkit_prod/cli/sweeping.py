"""`chatkit-prod sweep`: delete what expired."""

from contextlib import aclosing
from typing import Annotated, Any

import typer
from chatkit.store import Store
from rich.console import Console

from chatkit_prod.retention import RetentionPolicy, RetentionStore, SweepReport, sweep_batches
from chatkit_prod.retention.beneath import hiding_in

from .parameters import Attachments, Batch, Context, DryRun, Pause, TargetName, duration
from .progress import SweepProgress, summary
from .run import FAILED, INTERRUPTED, Interrupt, run
from .target import opened


def sweep(
    target: TargetName,
    *,
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="AGE", help="Such as 30d; only where the store has no RetentionPolicy of its own."
        ),
    ] = None,
    attachments: Attachments = None,
    context: Context = None,
    batch: Batch = 100,
    pause: Pause = 0.05,
    dry_run: DryRun = False,
) -> None:
    """Delete threads that expired, with their attachments.

    Killed or interrupted, it is simply run again. Exits with 1 if a thread could not be deleted.
    """
    age = None if older_than is None else duration(older_than)
    opening = opened(target, attachments=attachments, context=context, job="sweep")

    async def command() -> int:
        async with opening as found:
            policy = _policy_of(found.store)
            if (policy is None) == (age is None):
                raise typer.BadParameter(
                    "say --older-than, such as 30d: the store has no RetentionPolicy"
                    if policy is None
                    else "leave --older-than out: the store has a RetentionPolicy of its own"
                )
            report, console = SweepReport(dry_run=dry_run), Console()
            with Interrupt() as interrupt, SweepProgress(console) as progress:
                batches = sweep_batches(
                    found.store,
                    policy=policy or RetentionPolicy(max_age=age),
                    context=found.context,
                    attachment_store=found.attachment_store,
                    batch=batch,
                    pause=pause,
                    dry_run=dry_run,
                )
                async with aclosing(batches):
                    async for so_far in batches:
                        report = so_far
                        progress.show(report)
                        if interrupt.happened:
                            break
            ended = "Interrupted" if interrupt.happened else "Done"
            console.print(f"{ended}: {summary(report)}.", soft_wrap=True, highlight=False)
            return INTERRUPTED if interrupt.happened else FAILED if report.failed else 0

    run(command)


def _policy_of(store: Store[Any]) -> RetentionPolicy | None:
    return next((layer.policy for layer in hiding_in(store) if isinstance(layer, RetentionStore)), None)
