"""A principal says who is asking, and cannot be changed."""

import dataclasses
from typing import Any

import pytest
from starlette.authentication import BaseUser

from chatkit_prod import ConfigurationError, Principal

ALICE = Principal(issuer="https://idp.example.com", subject="alice", claims={"name": "Alice Personal"})


def test_a_principal_is_an_authenticated_user_of_starlette() -> None:
    assert isinstance(ALICE, BaseUser)
    assert ALICE.is_authenticated
    assert ALICE.display_name == ALICE.identity == "alice"


def test_a_principal_is_immutable_and_can_be_a_key() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ALICE.subject = "mallory"  # type: ignore[misc]
    assert {ALICE: 1}[dataclasses.replace(ALICE)] == 1


def test_claims_are_personal_and_stay_out_of_the_text_of_a_principal() -> None:
    assert "Personal" not in repr(ALICE)
    assert "Personal" not in str(ALICE)


@pytest.mark.parametrize("field", ["issuer", "subject", "tenant"])
def test_another_issuer_subject_or_tenant_is_another_user(field: str) -> None:
    other: Any = {field: "other"}
    assert dataclasses.replace(ALICE, **other) != ALICE


def test_the_claims_do_not_decide_who_somebody_is() -> None:
    assert dataclasses.replace(ALICE, claims={}) == ALICE


def test_a_principal_has_no_rights_and_no_end_unless_it_is_told() -> None:
    assert ALICE.scopes == frozenset()
    assert ALICE.tenant is None
    assert ALICE.expires_at is None


@pytest.mark.parametrize("value", ["", 7, b"u7", None], ids=repr)
@pytest.mark.parametrize("field", ["issuer", "subject", "tenant"])
def test_a_principal_whom_nobody_can_tell_from_others_cannot_be_made(field: str, value: object) -> None:
    changes: Any = {field: value}
    if (field, value) == ("tenant", None):
        assert dataclasses.replace(ALICE, **changes).tenant is None
        return
    with pytest.raises(ConfigurationError, match=field):
        dataclasses.replace(ALICE, **changes)


@pytest.mark.parametrize("scopes", [["chat"], "chat", None, {"chat"}], ids=repr)
def test_scopes_that_are_no_frozenset_are_refused(scopes: Any) -> None:
    with pytest.raises(ConfigurationError, match="scopes"):
        dataclasses.replace(ALICE, scopes=scopes)


@pytest.mark.parametrize("end", ["9", True, 1e12, float("nan"), float("inf"), 10**400], ids=repr)
def test_an_end_that_is_no_time_in_seconds_is_refused(end: Any) -> None:
    with pytest.raises(ConfigurationError, match="expires_at"):
        dataclasses.replace(ALICE, expires_at=end)
