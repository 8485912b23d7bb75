"""Whoever turns all pages sees every row that is theirs, once, in order, and no other."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from chatkit.types import Page, ThreadMetadata
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_prod.access.pages import MAX_INNER_PAGES, MAX_ROWS, SCANNED_ROWS, visible_page

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive
SEAL = "sealed:"
LIMITS = st.integers(1, 12)
VISIBLE = st.lists(st.booleans(), max_size=150)


def _row(index: int) -> ThreadMetadata:
    return ThreadMetadata(id=f"thr_{index}", created_at=NOW)


class Inner:
    """A list of rows of which some may be seen.

    Args:
        visible: Whether each row may be.
        cap: Rows of a page at most, whatever is asked for.
        filters: Whether the list leaves out by itself what may not be seen.
        cursors: Whether a page that is not the last has a cursor.

    Attributes:
        asked: The size and the cursor of each page that was loaded.
    """

    def __init__(
        self, visible: Sequence[bool], *, cap: int = 10_000, filters: bool = False, cursors: bool = True
    ) -> None:
        everything = [(_row(index), seen) for index, seen in enumerate(visible)]
        self._rows = [row for row, seen in everything if seen or not filters]
        self.visible = [row.id for row, seen in everything if seen]
        self._cap = cap
        self._cursors = cursors
        self.asked: list[tuple[int, str | None]] = []

    async def load(self, size: int, after: str | None) -> Page[ThreadMetadata]:
        self.asked.append((size, after))
        start = 0 if after is None else [row.id for row in self._rows].index(after) + 1
        end = start + min(size, self._cap)
        data = self._rows[start:end]
        has_more = end < len(self._rows)
        return Page(data=data, has_more=has_more, after=data[-1].id if has_more and self._cursors else None)

    async def is_visible(self, row: ThreadMetadata) -> bool:
        return row.id in self.visible

    async def page(self, limit: int, after: str | None = None) -> Page[ThreadMetadata]:
        """Return one page, as a client with this cursor gets it."""
        start = None if after is None else after.removeprefix(SEAL)
        return await visible_page(
            self.load, self.is_visible, limit=limit, after=start, seal=lambda cursor: SEAL + cursor
        )

    async def pages(self, limit: int) -> list[Page[ThreadMetadata]]:
        """Return all pages."""
        pages = [await self.page(limit)]
        while pages[-1].has_more:
            assert pages[-1].after is not None
            pages.append(await self.page(limit, pages[-1].after))
        return pages


def ids(page: Page[ThreadMetadata]) -> list[str]:
    return [row.id for row in page.data]


INNERS = st.builds(Inner, VISIBLE, cap=st.integers(1, 200), filters=st.booleans())


@given(INNERS, LIMITS)
@example(Inner([False] * 149 + [True], cap=1), 1)
@example(Inner([True] * 150, cap=1), 30)
@example(Inner([True] * 3, cap=1, filters=True), 3)
def test_all_pages_together_are_what_may_be_seen_once_and_in_order(inner: Inner, limit: int) -> None:
    pages = asyncio.run(inner.pages(limit))
    assert [row_id for page in pages for row_id in ids(page)] == inner.visible


@given(INNERS, LIMITS)
@example(Inner([False] * 149 + [True], cap=1), 1)
@example(Inner([True] * 150, cap=1), 30)
def test_a_page_is_full_unless_it_is_the_last_or_the_scan_was_long_enough(inner: Inner, limit: int) -> None:
    pages = asyncio.run(inner.pages(limit))
    for page in pages:
        is_sealed = page.after is not None and page.after.startswith(SEAL)
        assert len(page.data) <= limit
        assert len(page.data) == limit or is_sealed or page is pages[-1]
        assert page.has_more is (page is not pages[-1])
        assert (page.after is not None) is page.has_more
        assert is_sealed or page.after in (None, *ids(page)[-1:])


@given(INNERS, LIMITS)
@example(Inner([False] * 150, cap=1), 1)
def test_no_page_costs_more_inner_pages_than_the_bound(inner: Inner, limit: int) -> None:
    async def turn() -> None:
        after: str | None = None
        has_more = True
        while has_more:
            inner.asked.clear()
            page = await inner.page(limit, after)
            assert 1 <= len(inner.asked) <= MAX_INNER_PAGES
            is_sealed = page.after is not None and page.after.startswith(SEAL)
            assert not is_sealed or len(inner.asked) == MAX_INNER_PAGES
            after, has_more = page.after, page.has_more

    asyncio.run(turn())


@given(st.lists(st.booleans(), max_size=150), LIMITS)
def test_a_list_that_filters_by_itself_is_asked_once_for_each_page(visible: list[bool], limit: int) -> None:
    inner = Inner(visible, filters=True)
    pages = asyncio.run(inner.pages(limit))
    assert len(inner.asked) == len(pages)
    assert {size for size, _ in inner.asked} == {limit + 1}


async def test_one_that_does_not_is_read_on_in_large_pages() -> None:
    inner = Inner([False] * 1000 + [True])
    assert ids(await inner.page(20)) == ["thr_1000"]
    assert inner.asked == [(21, None), (SCANNED_ROWS, "thr_20"), (SCANNED_ROWS, "thr_520")]


async def test_a_scan_that_is_long_enough_goes_on_behind_a_sealed_cursor() -> None:
    inner = Inner([False] * MAX_INNER_PAGES + [True], cap=1)
    page = await inner.page(1)
    assert (page.data, page.has_more, page.after) == ([], True, f"{SEAL}thr_{MAX_INNER_PAGES - 1}")
    assert len(inner.asked) == MAX_INNER_PAGES
    assert ids(await inner.page(1, page.after)) == [f"thr_{MAX_INNER_PAGES}"]


async def test_a_page_that_the_bound_cut_short_keeps_what_was_found() -> None:
    inner = Inner([True, *[False] * MAX_INNER_PAGES, True], cap=1)
    page = await inner.page(2)
    assert (ids(page), page.has_more) == (["thr_0"], True)
    assert page.after == f"{SEAL}thr_{MAX_INNER_PAGES - 1}"


async def test_a_bound_that_is_reached_with_the_end_is_not_one() -> None:
    inner = Inner([False] * (MAX_INNER_PAGES - 1) + [True], cap=1)
    page = await inner.page(1)
    assert (ids(page), page.has_more, page.after) == ([f"thr_{MAX_INNER_PAGES - 1}"], False, None)


async def test_the_cursor_of_a_full_page_is_its_own_last_row() -> None:
    inner = Inner([True, False, False, True])
    page = await inner.page(1)
    assert (ids(page), page.has_more, page.after) == (["thr_0"], True, "thr_0")


@pytest.mark.parametrize("visible", [[], [False, False]], ids=["no row", "no row of theirs"])
async def test_who_has_nothing_gets_an_empty_last_page(visible: list[bool]) -> None:
    page = await Inner(visible).page(20)
    assert (page.data, page.has_more, page.after) == ([], False, None)


async def test_a_list_that_promises_more_and_names_no_cursor_is_at_its_end() -> None:
    inner = Inner([True] * 5, cap=2, cursors=False)
    page = await inner.page(4)
    assert (ids(page), page.has_more, page.after) == (["thr_0", "thr_1"], False, None)


@pytest.mark.parametrize(
    ("limit", "rows"), [(-5, 1), (0, 1), (1, 1), (MAX_ROWS, MAX_ROWS), (10**9, MAX_ROWS)]
)
async def test_a_page_has_one_row_at_least_and_a_bounded_number(limit: int, rows: int) -> None:
    inner = Inner([True] * (MAX_ROWS + 2))
    assert len((await inner.page(limit)).data) == rows
    assert inner.asked == [(rows + 1, None)]
