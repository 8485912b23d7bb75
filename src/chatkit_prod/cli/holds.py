"""`chatkit-prod hold` and `release`: keep a thread from being deleted."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from chatkit.store import NotFoundError

from chatkit_prod import retention

from .parameters import Attachments, Context, Reason, TargetName
from .run import FAILED, run
from .target import Target, opened

ThreadId = Annotated[str, typer.Argument(help="The id of the thread.")]


def hold(target: TargetName, thread_id: ThreadId, reason: Reason, context: Context = None) -> None:
    """Keep a thread from being deleted until it is released."""

    def work(found: Target) -> Awaitable[None]:
        return retention.hold(found.store, thread_id, reason=reason, context=found.context)

    _run(target, None, context, "hold", work)


def release(
    target: TargetName,
    thread_id: ThreadId,
    reason: Reason,
    attachments: Attachments = None,
    context: Context = None,
) -> None:
    """Take the hold from a thread; one that was to be deleted meanwhile is deleted now."""

    def work(found: Target) -> Awaitable[None]:
        return retention.release(
            found.store,
            thread_id,
            reason=reason,
            context=found.context,
            attachment_store=found.attachment_store,
        )

    _run(target, attachments, context, "release", work)


def _run(
    target: str,
    attachments: str | None,
    context: str | None,
    job: str,
    work: Callable[[Target], Awaitable[None]],
) -> None:
    opening = opened(target, attachments=attachments, context=context, job=job)

    async def command() -> int:
        async with opening as found:
            try:
                await work(found)
            except NotFoundError:
                typer.echo("There is no such thread, or no hold on it.", err=True)
                return FAILED
        typer.echo("Done.")
        return 0

    run(command)
