"""A sweep of a PostgreSQL in a process of its own, which may be killed: `python -m tests.retention.sweeper URL FOLDER`.

Prints one line per batch: threads deleted, and the memory of the process in KiB.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from chatkit.store import AttachmentStore

from chatkit_prod import RequestContext
from chatkit_prod.access import system_principal
from chatkit_prod.retention import RetentionPolicy, sweep_batches
from examples.stores.postgres import PostgresStore

POLICY = RetentionPolicy(max_age=timedelta(days=30), by_tenant={"south": None})
PAGE_KIB = 4


class Folder(AttachmentStore[RequestContext]):
    """Bytes of attachments as files."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None:
        (self._path / attachment_id).unlink(missing_ok=True)


def resident_kib() -> int:
    """Return what the process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB


async def main(url: str, folder: Path) -> None:
    context = RequestContext(principal=system_principal("sweep"))
    async with PostgresStore(url) as store:
        async for report in sweep_batches(
            store, policy=POLICY, context=context, attachment_store=Folder(folder), pause=0
        ):
            sys.stdout.write(f"{report.deleted} {report.failed} {resident_kib()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
