"""A policy says yes to what it was made for, and nothing else is a yes."""

import asyncio
import itertools
from collections.abc import Iterable
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.access import (
    AccessPolicy,
    Action,
    AllOf,
    AnyOf,
    Everybody,
    HasRole,
    HasScopes,
    Owner,
    OwnerOnly,
    PerAction,
    Resource,
    SameTenant,
)
from chatkit_prod.access.policy import require_policy
from chatkit_prod.errors import ForbiddenError, InsufficientScopeError

ACTIONS: tuple[Action, ...] = get_args(Action)
ALICE = Principal(issuer="https://idp.example.com", subject="alice", tenant="acme")
HERS = Resource(kind="thread", id="thr_1", owner=Owner.of(ALICE))

# Few values, so that two of them are often equal.
FEW = st.sampled_from(["a", "b"])
PRINCIPALS = st.builds(
    Principal, issuer=FEW, subject=FEW, tenant=st.none() | FEW, scopes=st.frozensets(FEW), method=FEW
)
OWNERS = st.builds(Owner, issuer=FEW, subject=FEW, tenant=st.none() | FEW)
RESOURCES = st.builds(
    Resource,
    kind=st.sampled_from(["thread", "attachment"]),
    id=FEW,
    owner=OWNERS,
    thread_id=st.none() | FEW,
)
ANY_ACTION = st.sampled_from(ACTIONS)


class Saying:
    """A policy that always says the same.

    Args:
        outcome: Returned, or raised.

    Attributes:
        asked: What it was asked about.
    """

    def __init__(self, outcome: object) -> None:
        self._outcome = outcome
        self.asked: list[tuple[Principal, Action, Resource | None]] = []

    async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> Any:
        self.asked.append((principal, action, resource))
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def verdict(
    policy: AccessPolicy,
    principal: Principal = ALICE,
    action: Action = "threads:read",
    resource: Resource | None = HERS,
) -> object:
    """Return what a policy returns, or what it raises."""
    try:
        return asyncio.run(policy.allows(principal, action, resource))
    except Exception as error:  # noqa: BLE001 - the outcome is under test
        return error


# ------------------------------------------------------------------------------------------------ whose it is


IDENTITIES: list[dict[str, Any]] = [
    {"issuer": issuer, "subject": subject, "tenant": tenant}
    for issuer, subject, tenant in itertools.product("ij", "ab", ("x", "y", None))
]
PAIRS = [
    (Principal(**asking), Resource(kind="thread", id="thr_1", owner=Owner(**owning)))
    for asking, owning in itertools.product(IDENTITIES, repeat=2)
]


@pytest.mark.parametrize("action", ACTIONS)
def test_the_owner_is_who_has_issuer_tenant_and_subject_of_the_stamp(action: Action) -> None:
    for principal, resource in PAIRS:
        owner = resource.owner
        own = (principal.issuer, principal.tenant, principal.subject) == (
            owner.issuer,
            owner.tenant,
            owner.subject,
        )
        assert verdict(OwnerOnly(), principal, action, resource) is own


@pytest.mark.parametrize("action", ACTIONS)
def test_a_tenant_of_one_issuer_shares_what_can_be_read_and_nothing_else(action: Action) -> None:
    for principal, resource in PAIRS:
        owner = resource.owner
        of_one_tenant = principal.tenant is not None and principal.tenant == owner.tenant
        readable = of_one_tenant and principal.issuer == owner.issuer and action.endswith(":read")
        allowed = readable or Owner.of(principal) == owner
        assert verdict(SameTenant(), principal, action, resource) is allowed


@pytest.mark.parametrize("action", ACTIONS)
def test_who_has_no_tenant_shares_with_nobody(action: Action) -> None:
    alice, bob = (Principal(issuer="i", subject=subject) for subject in ("alice", "bob"))
    theirs = Resource(kind="thread", id="thr_1", owner=Owner.of(bob))
    assert verdict(SameTenant(), alice, action, theirs) is False


@pytest.mark.parametrize("policy", [OwnerOnly(), SameTenant(), Everybody()], ids=lambda p: type(p).__name__)
@given(principal=PRINCIPALS, action=ANY_ACTION)
def test_where_nothing_is_named_there_is_no_owner_to_object(
    policy: AccessPolicy, principal: Principal, action: Action
) -> None:
    assert verdict(policy, principal, action, None) is True


@given(PRINCIPALS, ANY_ACTION, st.none() | RESOURCES)
def test_everybody_is_everybody(principal: Principal, action: Action, resource: Resource | None) -> None:
    assert verdict(Everybody(), principal, action, resource) is True


# ------------------------------------------------------------------------------------------------ scopes and roles


@given(PRINCIPALS, st.lists(FEW, min_size=1, max_size=3), ANY_ACTION, st.none() | RESOURCES)
def test_who_lacks_a_scope_is_told_which_are_needed(
    principal: Principal, scopes: list[str], action: Action, resource: Resource | None
) -> None:
    said = verdict(HasScopes(*scopes), principal, action, resource)
    if set(scopes) <= principal.scopes:
        assert said is True
    elif resource is not None:
        assert said is False
    else:
        assert isinstance(said, InsufficientScopeError)
        assert said.scopes == tuple(scopes)
        assert said.status == 403


@pytest.mark.parametrize(
    ("claim", "allowed"),
    [
        pytest.param("staff", True, id="one role as text"),
        pytest.param(["guest", "staff"], True, id="a list"),
        pytest.param(("guest", "staff"), True, id="a tuple"),
        pytest.param({"guest", "staff"}, True, id="a set"),
        pytest.param(frozenset({"staff"}), True, id="a frozenset"),
        pytest.param(["guest"], False, id="another role"),
        pytest.param("guest staff", False, id="two roles in one text"),
        pytest.param("staffroom", False, id="a longer text"),
        pytest.param("", False, id="empty text"),
        pytest.param("Staff", False, id="another case"),
        pytest.param([], False, id="an empty list"),
        pytest.param([["staff"]], False, id="a list in a list"),
        pytest.param({"staff": True}, False, id="an object"),
        pytest.param(b"staff", False, id="bytes"),
        pytest.param(1, False, id="a number"),
        pytest.param(True, False, id="true"),
        pytest.param(None, False, id="null"),
    ],
)
def test_a_role_is_one_text_or_an_element_of_a_list(claim: object, allowed: bool) -> None:
    principal = Principal(issuer="i", subject="s", claims={"roles": claim})
    assert verdict(HasRole("staff"), principal) is allowed


def test_who_has_no_such_claim_has_no_role() -> None:
    assert verdict(HasRole("staff"), ALICE) is False


def test_roles_are_read_from_the_claim_that_the_app_names_and_from_no_other() -> None:
    principal = Principal(issuer="i", subject="s", claims={"groups": ["staff"], "roles": ["guest"]})
    assert verdict(HasRole("staff", claim="groups"), principal) is True
    assert verdict(HasRole("guest", claim="groups"), principal) is False
    assert verdict(HasRole("staff"), principal) is False


# ------------------------------------------------------------------------------------------------ combinations

OUTCOMES: list[object] = [True, False, 1, "yes", None, ValueError("what a user wrote"), ForbiddenError("no")]
TABLE = [
    pytest.param(row, id=", ".join(map(repr, row)))
    for length in (1, 2)
    for row in itertools.product(OUTCOMES, repeat=length)
]


def _means_yes(outcomes: Iterable[object]) -> list[bool]:
    return [outcome is True for outcome in outcomes]


@pytest.mark.parametrize("outcomes", TABLE)
def test_all_of_some_policies_say_yes_if_each_says_true(outcomes: tuple[object, ...]) -> None:
    said = verdict(AllOf(*map(Saying, outcomes)))
    assert (said is True) is all(_means_yes(outcomes))
    assert said in (True, False) or isinstance(said, Exception)


@pytest.mark.parametrize("outcomes", TABLE)
def test_any_of_some_policies_says_yes_if_one_says_true(outcomes: tuple[object, ...]) -> None:
    said = verdict(AnyOf(*map(Saying, outcomes)))
    assert (said is True) is any(_means_yes(outcomes))
    assert said in (True, False) or isinstance(said, Exception)


@given(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=6))
def test_combinations_of_any_length_are_all_and_any(outcomes: list[object]) -> None:
    assert (verdict(AllOf(*map(Saying, outcomes))) is True) is all(_means_yes(outcomes))
    assert (verdict(AnyOf(*map(Saying, outcomes))) is True) is any(_means_yes(outcomes))


@given(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=6))
def test_policies_are_asked_in_turn_and_no_longer_than_needed(outcomes: list[object]) -> None:
    yes = _means_yes(outcomes)
    for combination, decisive in ((AllOf, False), (AnyOf, True)):
        policies = [Saying(outcome) for outcome in outcomes]
        verdict(combination(*policies))
        asked = yes.index(decisive) + 1 if decisive in yes else len(yes)
        assert [len(policy.asked) for policy in policies] == [1] * asked + [0] * (len(yes) - asked)


@pytest.mark.parametrize("combination", [AllOf, AnyOf])
def test_a_combination_asks_what_it_is_asked(combination: type[AllOf | AnyOf]) -> None:
    inner = Saying(True)
    verdict(combination(inner), ALICE, "feedback", HERS)
    verdict(combination(inner), ALICE, "transcribe", None)
    assert inner.asked == [(ALICE, "feedback", HERS), (ALICE, "transcribe", None)]


@pytest.mark.parametrize("combination", [AllOf, AnyOf])
def test_a_missing_scope_is_told_through_a_combination(combination: type[AllOf | AnyOf]) -> None:
    said = verdict(combination(HasScopes("chat:delete"), Saying(False)), resource=None)
    assert isinstance(said, InsufficientScopeError)
    assert said.scopes == ("chat:delete",)


def test_of_several_that_said_no_the_first_that_failed_is_raised() -> None:
    first, second, third = ForbiddenError(), ValueError(), ValueError()
    assert verdict(AnyOf(Saying(False), Saying(first), Saying(second), Saying(third))) is second
    assert verdict(AnyOf(Saying(False), Saying(first), Saying(ForbiddenError()))) is first


def test_a_failure_is_not_lost_where_another_says_yes(caplog: pytest.LogCaptureFixture) -> None:
    assert verdict(AnyOf(Saying(ValueError("what a user wrote")), Saying(True))) is True
    assert "ValueError" in caplog.text
    assert "what a user wrote" not in caplog.text


def test_combinations_combine() -> None:
    policy = AnyOf(AllOf(HasRole("staff"), HasScopes("chat")), OwnerOnly())
    foreign = Resource(kind="thread", id="thr_2", owner=Owner(issuer="i", subject="bob"))
    staff = Principal(issuer="i", subject="carol", scopes=frozenset({"chat"}), claims={"roles": ("staff",)})
    assert verdict(policy, ALICE, resource=HERS) is True
    assert verdict(policy, ALICE, resource=foreign) is not True
    assert verdict(policy, staff, resource=foreign) is True


# ------------------------------------------------------------------------------------------------ by action


@given(ANY_ACTION, ANY_ACTION)
def test_an_action_without_a_policy_is_refused(action: Action, listed: Action) -> None:
    assert verdict(PerAction({listed: Everybody()}), action=action) is (action == listed)


@given(ANY_ACTION, ANY_ACTION)
def test_every_other_action_is_asked_of_the_other_policy(action: Action, listed: Action) -> None:
    own, other = Saying(True), Saying(False)
    said = verdict(PerAction({listed: own}, otherwise=other), action=action)
    assert said is (action == listed)
    assert (own.asked or other.asked) == [(ALICE, action, HERS)]
    assert not (own.asked and other.asked)


def test_one_policy_for_every_action_is_enough() -> None:
    assert verdict(PerAction({}, otherwise=Everybody())) is True


def test_a_policy_of_an_action_that_fails_has_not_said_yes() -> None:
    failure = ValueError()
    assert verdict(PerAction({"threads:read": Saying(failure)})) is failure


def test_who_changes_the_table_later_changes_nothing() -> None:
    table: dict[Action, AccessPolicy] = {"feedback": OwnerOnly()}
    policy = PerAction(table)
    table["threads:read"] = Everybody()
    assert verdict(policy) is False


@pytest.mark.parametrize("unknown", ["threads:reed", "*", "", 1])
def test_an_action_that_does_not_exist_is_named_with_those_that_do(unknown: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        PerAction({unknown: Everybody()})
    assert f"there is no action {unknown}; there are threads:create, " in str(raised.value)


@pytest.mark.parametrize("table", [None, ["threads:read"], "threads:read"], ids=repr)
def test_what_is_no_table_is_named(table: Any) -> None:
    with pytest.raises(ConfigurationError, match="PerAction needs a policy by action, not a"):
        PerAction(table)


# ------------------------------------------------------------------------------------------------ construction


async def _function(principal: Principal, action: Action, resource: Resource | None) -> bool:
    raise NotImplementedError


def _sync_function(principal: Principal, action: Action, resource: Resource | None) -> bool:
    raise NotImplementedError


NO_POLICIES = [
    pytest.param(OwnerOnly, "the class OwnerOnly", id="a class"),
    pytest.param(_function, "a function", id="a function"),
    pytest.param(_sync_function, "a function", id="a sync function"),
    pytest.param(True, "a bool", id="true"),
    pytest.param("OwnerOnly", "a str", id="a name"),
    pytest.param(None, "a NoneType", id="nothing"),
]


def _last_of_all(policy: Any) -> object:
    return AllOf(Everybody(), policy)


def _first_of_any(policy: Any) -> object:
    return AnyOf(policy, Everybody())


def _for_an_action(policy: Any) -> object:
    return PerAction({"feedback": policy})


@pytest.mark.parametrize("make", [require_policy, AllOf, AnyOf, _last_of_all, _first_of_any, _for_an_action])
@pytest.mark.parametrize(("wrong", "name"), NO_POLICIES)
def test_what_is_no_policy_is_named_when_it_is_passed(wrong: Any, name: str, make: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"a policy must have the method allows, not be {name}"):
        make(wrong)


@pytest.mark.parametrize(("wrong", "name"), NO_POLICIES[:-1])
def test_what_is_no_policy_is_none_for_every_other_action_either(wrong: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        PerAction({"feedback": Everybody()}, otherwise=wrong)


@pytest.mark.parametrize("make", [AllOf, AnyOf, lambda: PerAction({})], ids=["all", "any", "by action"])
def test_a_combination_of_nothing_is_a_mistake(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="needs at least one policy"):
        make()


def test_a_policy_is_returned_as_it_is() -> None:
    policy = OwnerOnly()
    assert require_policy(policy) is policy


def test_no_scope_at_all_would_let_everybody_in() -> None:
    with pytest.raises(ConfigurationError, match="HasScopes needs a scope"):
        HasScopes()


@pytest.mark.parametrize("scopes", [("",), (None,), (["chat"],), ("chat", 1)], ids=repr)
def test_a_scope_is_a_text(scopes: Any) -> None:
    with pytest.raises(ConfigurationError, match="scopes must be a list of texts"):
        HasScopes(*scopes)


@pytest.mark.parametrize("name", ["", None, 1, ["staff"]], ids=repr)
def test_a_role_and_its_claim_are_texts(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="HasRole needs the name of a role"):
        HasRole(name)
    with pytest.raises(ConfigurationError, match="HasRole needs the name of a role"):
        HasRole("staff", claim=name)
