"""A stamp says whose a row is, and only a stamp that was made here says so."""

import json
from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest
from chatkit.types import Attachment, FileAttachment, ThreadMetadata
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.access.owner import OWNER_KEY, Owner, has_stamp, owner_of, stamped, unstamped

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive
ALICE = Owner(issuer="https://idp.example.com", subject="alice", tenant="acme")
BOB = Owner(issuer="https://idp.example.com", subject="bob")

ANY_CHARACTER = st.characters(exclude_categories=())
TEXTS = st.text(ANY_CHARACTER, min_size=1) | st.sampled_from(
    ["\ud800", "\x00", '"', "\\", '", null, "', "a\u2028b", "é", "[]", "null"]
)
PRINCIPALS = st.builds(Principal, issuer=TEXTS, subject=TEXTS, tenant=st.none() | TEXTS)
OWNERS = PRINCIPALS.map(Owner.of)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
METADATA = st.dictionaries(st.text(), JSON, max_size=3)


def thread(metadata: dict[str, Any] | None = None) -> ThreadMetadata:
    return ThreadMetadata(id="thr_1", created_at=NOW, metadata=metadata or {})


def attachment(metadata: dict[str, Any] | None = None) -> Attachment:
    return FileAttachment(id="atc_1", name="a.txt", mime_type="text/plain", metadata=metadata)


ROWS: st.SearchStrategy[Any] = METADATA.map(thread) | (st.none() | METADATA).map(attachment)


def with_stamp(stamp: Any) -> ThreadMetadata:
    return thread({OWNER_KEY: stamp})


# ------------------------------------------------------------------------------------------------ the owner


@given(PRINCIPALS)
def test_the_owner_of_what_a_principal_makes_is_their_issuer_tenant_and_subject(principal: Principal) -> None:
    owner = Owner.of(principal)
    assert (owner.issuer, owner.tenant, owner.subject) == (
        principal.issuer,
        principal.tenant,
        principal.subject,
    )


@given(OWNERS, OWNERS)
def test_two_owners_have_one_stamp_only_if_they_are_one_user(one: Owner, other: Owner) -> None:
    assert (str(one) == str(other)) is (one == other)


FEW = st.sampled_from(["a", "b"])


@given(
    st.builds(Principal, issuer=FEW, subject=FEW, tenant=st.none() | FEW, method=FEW),
    st.builds(Owner, issuer=FEW, subject=FEW, tenant=st.none() | FEW),
)
def test_a_principal_is_an_owner_if_all_three_are_equal_and_whatever_else_is_not(
    principal: Principal, owner: Owner
) -> None:
    assert owner.is_same(principal) is (Owner.of(principal) == owner)


@given(OWNERS)
def test_a_stamp_is_ascii_that_every_database_can_keep(owner: Owner) -> None:
    assert str(owner).isascii()
    assert str(owner).isprintable()


def test_a_stamp_is_a_list_of_issuer_tenant_and_subject() -> None:
    assert str(ALICE) == '["https://idp.example.com", "acme", "alice"]'
    assert str(BOB) == '["https://idp.example.com", null, "bob"]'


# ------------------------------------------------------------------------------------------------ the stamp


@given(ROWS, OWNERS)
def test_whose_a_stamped_row_is_can_be_read_again(row: Any, owner: Owner) -> None:
    marked = stamped(row, owner)
    assert owner_of(marked) == owner
    assert has_stamp(marked)


@given(ROWS, OWNERS)
def test_stamping_changes_a_copy_and_nothing_but_the_stamp(row: Any, owner: Owner) -> None:
    before = deepcopy(row)
    marked = stamped(row, owner)
    assert row == before
    assert marked.metadata == {**(row.metadata or {}), OWNER_KEY: str(owner)}
    assert marked.model_dump(exclude={"metadata"}) == row.model_dump(exclude={"metadata"})


@given(ROWS, OWNERS)
def test_what_an_app_sees_has_no_stamp_and_is_otherwise_what_it_saved(row: Any, owner: Owner) -> None:
    marked = stamped(row, owner)
    before = deepcopy(marked)
    seen = unstamped(marked)
    assert marked == before
    assert not has_stamp(seen)
    assert owner_of(seen) is None
    assert (seen.metadata or {}) == (row.metadata or {})
    assert seen.model_dump(exclude={"metadata"}) == row.model_dump(exclude={"metadata"})


@given(ROWS)
def test_what_has_no_stamp_loses_nothing(row: Any) -> None:
    assert (unstamped(row).metadata or {}) == (row.metadata or {})


@given(ROWS, OWNERS, OWNERS)
def test_a_new_stamp_takes_the_place_of_the_old(row: Any, old: Owner, new: Owner) -> None:
    assert stamped(stamped(row, old), new) == stamped(row, new)


def test_metadata_is_never_shared_between_a_row_and_its_copy() -> None:
    row = thread({"colour": "red"})
    for copied in (stamped(row, ALICE), unstamped(row)):
        copied.metadata["colour"] = "blue"
    assert row.metadata == {"colour": "red"}


def test_an_attachment_without_metadata_has_none_again() -> None:
    assert unstamped(stamped(attachment(), ALICE)).metadata is None


def test_a_thread_always_has_metadata() -> None:
    assert unstamped(stamped(thread(), ALICE)).metadata == {}


# ------------------------------------------------------------------------------------------------ what is no stamp


def _is_owner(value: Any) -> bool:
    match value:
        case [str(issuer), None, str(subject)]:
            return "" not in (issuer, subject)
        case [str(issuer), str(tenant), str(subject)]:
            return "" not in (issuer, tenant, subject)
        case _:
            return False


@given(JSON)
def test_a_json_text_is_a_stamp_only_if_it_is_a_list_of_issuer_tenant_and_subject(value: Any) -> None:
    owner = owner_of(with_stamp(json.dumps(value)))
    assert (owner is not None) is _is_owner(value)


@given(st.text(ANY_CHARACTER))
def test_any_other_text_is_nobodys(text: str) -> None:
    assert owner_of(with_stamp(text)) is None


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_what_is_no_text_is_nobodys(value: Any) -> None:
    assert owner_of(with_stamp(value)) is None


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param("", id="empty"),
        pytest.param('["i", null]', id="too short"),
        pytest.param('["i", null, "s", "x"]', id="too long"),
        pytest.param('["", null, "s"]', id="no issuer"),
        pytest.param('["i", "", "s"]', id="empty tenant"),
        pytest.param('["i", null, ""]', id="no subject"),
        pytest.param('["i", 1, "s"]', id="a number for a tenant"),
        pytest.param('["i", null, null]', id="null for a subject"),
        pytest.param('"abc"', id="three letters"),
        pytest.param('{"a": 1, "b": 2, "c": 3}', id="an object of three members"),
        pytest.param("[" * 100_000, id="nested beyond any measure"),
        pytest.param("1" * 5000, id="a number beyond any measure"),
        pytest.param("null", id="null"),
        pytest.param("1", id="a number"),
    ],
)
def test_what_was_not_made_here_is_nobodys_and_still_a_stamp(stamp: str) -> None:
    row = with_stamp(stamp)
    assert owner_of(row) is None
    assert has_stamp(row)
    assert not has_stamp(unstamped(row))


@pytest.mark.parametrize("row", [thread(), attachment(), attachment({"colour": "red"})], ids=repr)
def test_a_row_without_a_stamp_is_nobodys(row: ThreadMetadata | Attachment) -> None:
    assert not has_stamp(row)
    assert owner_of(row) is None


@pytest.mark.parametrize(
    "wrong",
    [{"subject": 7}, {"subject": ""}, {"issuer": ""}, {"tenant": ""}, {"tenant": 7}, {"issuer": None}],
    ids=repr,
)
def test_an_owner_that_no_stamp_could_name_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must be text, and not empty"):
        Owner(**{"issuer": "desk", "subject": "alice"} | wrong)


def test_only_an_owner_is_stamped() -> None:
    stamp: Any = stamped
    with pytest.raises(ConfigurationError, match="an owner must be an Owner, not a Principal"):
        stamp(thread(), Principal(issuer="desk", subject="alice"))
