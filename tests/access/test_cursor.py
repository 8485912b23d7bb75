"""A cursor that names somebody else's row is read by nobody but the user and the process that got it."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.access.cursor import SealedCursors
from chatkit_prod.access.owner import Owner
from chatkit_prod.operation import Limits, parse
from chatkit_prod.testing import chatkit_request

ALICE = Owner(issuer="https://idp.example.com", subject="alice", tenant="acme")
OTHERS = [
    pytest.param(Owner(issuer="https://idp.example.com", subject="bob", tenant="acme"), id="another subject"),
    pytest.param(
        Owner(issuer="https://idp.example.com", subject="alice", tenant="bolt"), id="another tenant"
    ),
    pytest.param(Owner(issuer="https://idp.example.com", subject="alice"), id="no tenant"),
    pytest.param(
        Owner(issuer="https://idp.example.org", subject="alice", tenant="acme"), id="another issuer"
    ),
]
CURSORS = st.text() | st.from_regex(r"thr_[0-9a-f]{8,124}", fullmatch=True)
sealed = SealedCursors()


@given(CURSORS)
def test_a_user_reads_what_was_sealed_for_them(cursor: str) -> None:
    assert sealed.open(sealed.seal(cursor, ALICE), ALICE) == cursor


@pytest.mark.parametrize("other", OTHERS)
def test_another_user_does_not(other: Owner) -> None:
    assert sealed.open(sealed.seal("thr_1", ALICE), other) is None


def test_another_process_does_not() -> None:
    assert SealedCursors().open(sealed.seal("thr_1", ALICE), ALICE) is None


def test_a_sealed_cursor_does_not_show_what_is_inside() -> None:
    one, other = sealed.seal("thr_secret", ALICE), sealed.seal("thr_secret", ALICE)
    assert "secret" not in one
    assert one != other


@given(st.text(st.characters(exclude_categories=())))
@example("\ud800")
def test_any_other_text_is_no_sealed_cursor(text: str) -> None:
    assert sealed.open(text, ALICE) is None
    assert sealed.open(f"scan~{text}", ALICE) is None


def test_a_changed_character_voids_it() -> None:
    cursor = sealed.seal("thr_1", ALICE)
    for index in range(len(cursor.rstrip("=")) - 1):
        other = "B" if cursor[index] == "A" else "A"
        assert sealed.open(cursor[:index] + other + cursor[index + 1 :], ALICE) is None


@pytest.mark.parametrize("length", [1, 12, 36, 128])
def test_a_client_can_send_it_back_whatever_id_is_inside(length: int) -> None:
    cursor = sealed.seal("t" * length, ALICE)
    operation = parse(chatkit_request("threads.list", after=cursor), Limits())
    assert operation.name == "threads.list"
    assert re.fullmatch(r"scan~[\w=-]+", cursor)


@pytest.mark.parametrize("key", ["short", b"", 1, b"x" * 44], ids=repr)
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="cursor_key must be a key"):
        SealedCursors(key)
