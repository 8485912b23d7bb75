"""`chatkit-prod export` and `erase`: what a user may ask for."""

import os
from pathlib import Path
from typing import Annotated

import typer

from chatkit_prod.owner import Owner
from chatkit_prod.retention import erase_user, export_user

from .parameters import Attachments, Batch, Context, DryRun, Pause, TargetName
from .run import FAILED, run
from .target import opened

Issuer = Annotated[str, typer.Option(help="Who vouches for the user: `iss` of their tokens.")]
Subject = Annotated[str, typer.Option(help="The user's id there: `sub`.")]
Tenant = Annotated[str | None, typer.Option(help="Their organisation, if the app has tenants.")]


def export(
    target: TargetName,
    *,
    issuer: Issuer,
    subject: Subject,
    output: Annotated[Path, typer.Option(help="The file to make; readable for you alone.")],
    tenant: Tenant = None,
    context: Context = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="Also hidden context.")] = False,
) -> None:
    """Write what is kept of a user as JSON Lines (GDPR Art. 15 and 20)."""
    opening = opened(target, attachments=None, context=context, job="export")

    async def command() -> int:
        owner = Owner(issuer=issuer, subject=subject, tenant=tenant)
        async with opening as found:
            lines = -1
            try:
                made = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except OSError as error:
                raise typer.BadParameter(f"{output} cannot be made: {error.strerror}") from None
            with os.fdopen(made, "w", encoding="utf-8") as file:
                async for line in export_user(found.store, owner, context=found.context, hidden=hidden):
                    file.write(line)
                    lines += 1
        typer.echo(f"Done: {lines} lines in {output}.")
        return 0

    run(command)


def erase(
    target: TargetName,
    *,
    issuer: Issuer,
    subject: Subject,
    tenant: Tenant = None,
    attachments: Attachments = None,
    context: Context = None,
    batch: Batch = 100,
    pause: Pause = 0.05,
    dry_run: DryRun = False,
) -> None:
    """Delete every thread of a user with its attachments (GDPR Art. 17). Exits with 1 if some are still there."""
    opening = opened(target, attachments=attachments, context=context, job="erase")

    async def command() -> int:
        owner = Owner(issuer=issuer, subject=subject, tenant=tenant)
        async with opening as found:
            report = await erase_user(
                found.store,
                owner,
                context=found.context,
                attachment_store=found.attachment_store,
                batch=batch,
                pause=pause,
                dry_run=dry_run,
            )
        verb = "would be deleted" if dry_run else "deleted"
        typer.echo(f"Done: {report.deleted} threads and {report.attachments} attachments {verb}.")
        for name, ids in (("held", report.held), ("failed", report.failed)):
            if ids:
                typer.echo(f"Still there, {name}: {', '.join(ids)}")
        return FAILED if report.held or report.failed else 0

    run(command)
