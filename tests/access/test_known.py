"""What a request remembers of a row, and when it is worth nothing any more."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from chatkit.types import ThreadMetadata
from starlette.requests import HTTPConnection

from chatkit_prod import RequestState
from chatkit_prod.access.known import REMEMBERED_DELETIONS, KnownRow, KnownRows

THREAD = ThreadMetadata(id="thr_1", created_at=datetime(2026, 1, 1, tzinfo=UTC))

Rows = KnownRows[ThreadMetadata]


@pytest.fixture
def rows() -> Iterator[Rows]:
    """What a request knows that is being answered."""
    with RequestState(HTTPConnection({"type": "http", "headers": []})).as_current():
        yield KnownRows()


def known(rows: Rows) -> KnownRow[ThreadMetadata]:
    return KnownRow(THREAD, None, rows.deletions)


def test_a_row_is_known_until_it_is_deleted(rows: Rows) -> None:
    row = rows.keep("thr_1", known(rows))
    rows.end("thr_2")
    assert rows.get("thr_1") is row
    rows.end("thr_1")
    assert rows.get("thr_1") is None


def test_a_row_that_was_loaded_after_the_deletion_of_its_id_is_known(rows: Rows) -> None:
    rows.end("thr_1")
    row = rows.keep("thr_1", known(rows))
    assert rows.get("thr_1") is row


@pytest.mark.parametrize(
    ("deletions", "is_known"), [(REMEMBERED_DELETIONS, True), (REMEMBERED_DELETIONS + 1, False)]
)
def test_a_row_is_not_known_where_its_deletion_may_have_been_forgotten(
    rows: Rows, deletions: int, *, is_known: bool
) -> None:
    rows.keep("thr_1", known(rows))
    for _ in range(deletions):
        rows.end("thr_2")
    assert (rows.get("thr_1") is not None) is is_known


def test_what_is_known_of_its_items_and_its_maker_outlasts_another_look_at_it(rows: Rows) -> None:
    rows.keep("thr_1", KnownRow(THREAD, None, 0, is_made_here=True)).items["msg_1"] = None
    again = rows.keep("thr_1", known(rows))
    assert again.is_made_here
    assert "msg_1" in again.items


def test_nothing_of_a_deleted_row_is_handed_down_to_the_next_with_its_id(rows: Rows) -> None:
    rows.keep("thr_1", KnownRow(THREAD, None, 0, is_made_here=True)).items["msg_1"] = None
    rows.end("thr_1")
    again = rows.keep("thr_1", known(rows))
    assert not again.is_made_here
    assert again.items == {}


def test_outside_of_a_request_nothing_is_kept() -> None:
    rows: Rows = KnownRows()
    rows.keep("thr_1", known(rows))
    assert rows.get("thr_1") is None
