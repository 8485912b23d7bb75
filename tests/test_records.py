"""A record is one line that nobody can forge, and the same as data."""

import json
import logging
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import Principal
from chatkit_prod.records import audit_logger, who, write

ALICE = Principal(
    issuer="desk",
    subject="alice",
    tenant="acme",
    scopes=frozenset({"read"}),
    claims={"email": "alice@example.com"},
    method="badge",
)
ANY_TEXT = st.text(st.characters(exclude_categories=()))


class Collecting(logging.Logger):
    """Keeps every record."""

    def __init__(self) -> None:
        super().__init__("collecting", logging.INFO)
        self.records: list[logging.LogRecord] = []

    def handle(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def written(fields: dict[str, Any]) -> logging.LogRecord:
    """Write a record and return it."""
    logger = Collecting()
    write(logger, fields)
    (record,) = logger.records
    return record


def test_a_record_is_one_line_for_people_and_the_same_as_data() -> None:
    fields = {"decision": "refused", "user_id": "alice", "status": 404}
    record = written(fields)
    assert record.getMessage() == 'decision="refused" user_id="alice" status=404'
    assert getattr(record, "chatkit", None) == fields
    assert record.levelno == logging.INFO


def test_what_is_unknown_is_left_out_of_the_line_and_stays_in_the_data() -> None:
    record = written({"decision": "refused", "tenant": None, "count": 0, "reason": ""})
    assert record.getMessage() == 'decision="refused" count=0 reason=""'
    assert getattr(record, "chatkit", {})["tenant"] is None


@given(ANY_TEXT)
def test_no_value_can_forge_a_line_or_a_field(value: str) -> None:
    message = written({"user_id": value, "reason": "foreign"}).getMessage()
    assert len(message.splitlines()) == 1
    assert message.isascii()
    text = message.removeprefix("user_id=").removesuffix(' reason="foreign"')
    assert json.loads(text) == value


@given(ANY_TEXT)
def test_a_value_is_no_format(value: str) -> None:
    assert written({"user_id": f"%s {value}"}).getMessage().startswith('user_id="%s ')


def test_what_json_does_not_know_is_written_as_text() -> None:
    record = written({"at": datetime(2026, 1, 2)})  # noqa: DTZ001 - a value like any other
    assert record.getMessage() == 'at="2026-01-02 00:00:00"'


def test_the_audit_logger_has_a_name_of_its_own() -> None:
    assert audit_logger is logging.getLogger("chatkit_prod.audit")


def test_who_asks_is_told_by_identity_and_by_nothing_personal() -> None:
    assert who(ALICE) == {"issuer": "desk", "user_id": "alice", "tenant": "acme", "method": "badge"}


@pytest.mark.parametrize("principal", [None, ALICE], ids=["nobody", "alice"])
def test_who_asks_always_has_the_same_fields(principal: Principal | None) -> None:
    assert list(who(principal)) == ["issuer", "user_id", "tenant", "method"]


def test_nobody_is_nobody() -> None:
    assert set(who(None).values()) == {None}
