"""A full page out of a list in which some rows have expired."""

from collections.abc import Awaitable, Callable
from typing import Final

from chatkit.types import Page, ThreadMetadata

MAX_ROWS: Final = 1000
MAX_INNER_PAGES: Final = 20
SCANNED_ROWS: Final = 500


async def served_page(
    load: Callable[[int, str | None], Awaitable[Page[ThreadMetadata]]],
    is_served: Callable[[ThreadMetadata], bool],
    *,
    limit: int,
    after: str | None,
) -> Page[ThreadMetadata]:
    """Return the next rows that are served.

    One row more than the page has tells whether there is another page. Where a sweep is overdue, the inner store
    is read on in pages of `SCANNED_ROWS`, `MAX_INNER_PAGES` of them at most: a page that is short because of that
    has a cursor to go on with.

    Args:
        load: Loads an inner page, from its size and its cursor.
        is_served: Tells whether users get to see a row.
        limit: Rows of the page; untrusted: at most `MAX_ROWS`, at least one.
        after: The cursor to start behind.
    """
    limit = min(max(limit, 1), MAX_ROWS)
    kept: list[ThreadMetadata] = []
    size = limit + 1
    for _ in range(MAX_INNER_PAGES):
        page = await load(size, after)
        for row in filter(is_served, page.data):
            if len(kept) == limit:
                return Page(data=kept, has_more=True, after=kept[-1].id)
            kept.append(row)
        if not page.has_more or page.after is None:
            return Page(data=kept)
        size, after = SCANNED_ROWS, page.after
    return Page(data=kept, has_more=True, after=after)
