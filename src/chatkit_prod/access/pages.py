"""A full page out of a list of which the caller may see only some.

    inner page → the caller's own → enough for a page and one more? ┬→ yes: the page
        ↑                                                           │
        └────────────── the next one, so many times ────────────────┴→ no

A store that filters by itself is read once.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from chatkit.types import Page, ThreadMetadata

TRow = TypeVar("TRow", bound=ThreadMetadata)

MAX_INNER_PAGES = 20
SCANNED_ROWS = 500
MAX_ROWS = 1000


async def visible_page(
    load: Callable[[int, str | None], Awaitable[Page[TRow]]],
    is_visible: Callable[[TRow], Awaitable[bool]],
    *,
    limit: int,
    after: str | None,
    seal: Callable[[str], str],
) -> Page[TRow]:
    """Return the next rows that are visible.

    A store that filters by itself is asked once: for one row more than the page has, which tells
    whether there is another page. One that does not is read on, in pages of `SCANNED_ROWS`.

    Args:
        load: Loads an inner page, from its size and its cursor.
        is_visible: Tells whether the caller may see a row.
        limit: Rows of the page; at most `MAX_ROWS`, at least one.
        after: The inner cursor to start behind.
        seal: Makes a cursor that hides an inner one, for when `MAX_INNER_PAGES` were not enough:
            it names a row that may be somebody else's.
    """
    limit = min(max(limit, 1), MAX_ROWS)
    kept: list[TRow] = []
    size, inner_pages = limit + 1, 0
    while True:
        page = await load(size, after)
        inner_pages += 1
        for row in page.data:
            if await is_visible(row):
                if len(kept) == limit:
                    return Page(data=kept, has_more=True, after=kept[-1].id)
                kept.append(row)
        if not page.has_more or page.after is None:
            return Page(data=kept)
        if inner_pages == MAX_INNER_PAGES:
            return Page(data=kept, has_more=True, after=seal(page.after))
        size, after = SCANNED_ROWS, page.after
