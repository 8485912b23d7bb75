"""Whoever is refused leaves one audit record and is counted once, and nobody is told why."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from chatkit_prod import ConfigurationError, Principal, RequestContext, RequestState
from chatkit_prod.access import (
    AccessPolicy,
    Action,
    AllOf,
    AnyOf,
    Everybody,
    HasScopes,
    Owner,
    OwnerOnly,
    PerAction,
    Resource,
    system_principal,
)
from chatkit_prod.access.guard import Guard, principal_of
from chatkit_prod.errors import ForbiddenError, InsufficientScopeError
from tests.servers import http_scope

pytestmark = pytest.mark.anyio

AUDIT = "chatkit_prod.audit"
ALICE = Principal(issuer="https://idp.example.com", subject="alice", tenant="acme", method="jwt")
BOB = Principal(issuer="https://idp.example.com", subject="bob", tenant="acme", method="jwt")
HERS = Resource(kind="thread", id="thr_1", owner=Owner.of(ALICE))
WHO = {"issuer": ALICE.issuer, "user_id": "alice", "tenant": "acme", "method": "jwt"}
QUOTED = "what a person wrote"


class Saying:
    """A policy that always says the same.

    Args:
        outcome: Returned, or raised.
    """

    def __init__(self, outcome: object) -> None:
        self._outcome = outcome

    async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> Any:
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, AUDIT)


def guard(policy: AccessPolicy, meter_provider: MeterProvider | None = None) -> Guard[Any]:
    return Guard(policy, principal_of, meter_provider)


def request(principal: Principal | None = None) -> RequestState:
    _, state = RequestState.seed(http_scope())
    if principal is not None:
        state.principal = principal
    return state


def records(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """Return what every audit record says."""
    return [getattr(record, "chatkit", None) for record in caplog.records if record.name == AUDIT]


class Counter:
    """What the guards of one provider have counted."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader])

    def points(self) -> list[tuple[int | float, dict[str, Any]]]:
        """Return how often, by attributes."""
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        assert (metric.name, metric.unit) == ("chatkit.access.refusals", "{refusal}")
        points = [point for point in metric.data.data_points if isinstance(point, NumberDataPoint)]
        return [(point.value, dict(point.attributes or {})) for point in points]


# ------------------------------------------------------------------------------------------------ who is asking


def _context_of(state: RequestState) -> RequestContext:
    state.locale = "en"
    return RequestContext.of(state)


WITHOUT = [
    pytest.param({"principal": ALICE}, id="a dict"),
    pytest.param("context", id="a text"),
    pytest.param(SimpleNamespace(principal=None), id="no principal yet"),
    pytest.param(SimpleNamespace(principal="alice"), id="a principal of another kind"),
    pytest.param(SimpleNamespace(principal=Principal), id="the class"),
]


def test_the_principal_of_a_context_is_who_asks() -> None:
    assert principal_of(SimpleNamespace(principal=ALICE)) is ALICE
    assert principal_of(_context_of(request(ALICE))) is ALICE


def test_the_principal_of_a_context_goes_before_that_of_the_request() -> None:
    with request(BOB).as_current():
        assert principal_of(SimpleNamespace(principal=ALICE)) is ALICE


@pytest.mark.parametrize("context", WITHOUT)
def test_the_context_that_a_request_has_made_stands_for_its_principal(context: object) -> None:
    state = request(BOB)
    state.context = context
    with state.as_current():
        assert principal_of(context) is BOB


@pytest.mark.parametrize("context", [*WITHOUT, pytest.param(None, id="none")])
def test_another_context_than_that_of_the_request_stands_for_nobody(context: object) -> None:
    state = request(BOB)
    state.context = None if context is None else object()
    with pytest.raises(ConfigurationError, match="pass principal= to the store"):
        principal_of(context)
    with state.as_current(), pytest.raises(ConfigurationError, match="pass principal= to the store"):
        principal_of(context)


async def test_what_outlives_its_request_stands_for_nobody() -> None:
    async def later() -> Principal:
        await over.wait()
        return principal_of(context)

    context, state, over = {"locale": "en"}, request(BOB), asyncio.Event()
    state.context = context
    with state.as_current():
        task = asyncio.create_task(later())
    over.set()
    with pytest.raises(ConfigurationError):
        await task


def test_in_a_request_that_nobody_has_authenticated_the_missing_layer_is_named() -> None:
    state = request()
    state.context = {"locale": "en"}
    with state.as_current(), pytest.raises(ConfigurationError, match="AuthMiddleware"):
        principal_of(state.context)


def test_an_app_maps_its_own_context() -> None:
    own: Guard[dict[str, Principal]] = Guard(OwnerOnly(), lambda context: context["user"], None)
    with request(BOB).as_current():
        assert own.principal({"user": ALICE}) is ALICE


@pytest.mark.parametrize("found", [None, "alice", Owner.of(ALICE), Principal], ids=repr)
def test_what_an_app_maps_it_to_is_a_principal(found: Any) -> None:
    own: Guard[Any] = Guard(OwnerOnly(), lambda _: found, None)
    with request(BOB).as_current(), pytest.raises(ConfigurationError, match="must return a Principal"):
        own.principal(None)


def test_what_an_app_raises_there_is_not_lost() -> None:
    own: Guard[Any] = Guard(OwnerOnly(), lambda context: context["user"], None)
    with request(BOB).as_current(), pytest.raises(KeyError):
        own.principal({})


# ------------------------------------------------------------------------------------------------ construction


@pytest.mark.parametrize("principal", [None, ALICE, "principal"], ids=repr)
def test_who_asks_is_found_by_a_function(principal: Any) -> None:
    with pytest.raises(ConfigurationError, match="principal must be a function of the context"):
        Guard(OwnerOnly(), principal, None)


@pytest.mark.parametrize("policy", [None, OwnerOnly, principal_of], ids=["nothing", "a class", "a function"])
def test_a_guard_has_a_policy(policy: Any) -> None:
    with pytest.raises(ConfigurationError, match="a policy must have the method allows"):
        Guard(policy, principal_of, None)


def test_the_policy_can_be_read() -> None:
    policy = OwnerOnly()
    assert guard(policy).policy is policy


# ------------------------------------------------------------------------------------------------ the decision


async def test_true_is_a_yes() -> None:
    assert await guard(Saying(True)).denial(BOB, "threads:read", HERS) is None


@pytest.mark.parametrize("outcome", [False, None, 1, "yes", [True], NotImplemented], ids=repr)
async def test_nothing_else_is(outcome: object) -> None:
    denial = await guard(Saying(outcome)).denial(ALICE, "threads:read", HERS)
    assert denial is not None
    assert denial.reason == "not allowed"


@pytest.mark.parametrize(
    ("principal", "resource", "reason"),
    [
        pytest.param(ALICE, HERS, "not allowed", id="one's own"),
        pytest.param(BOB, HERS, "foreign", id="somebody else's"),
        pytest.param(ALICE, None, "not allowed", id="nothing"),
    ],
)
async def test_the_reason_tells_what_is_foreign(
    principal: Principal, resource: Resource | None, reason: str
) -> None:
    denial = await guard(Saying(False)).denial(principal, "threads:read", resource)
    assert denial is not None
    assert denial.reason == reason


async def test_the_reason_of_a_policy_is_kept() -> None:
    refusal = ForbiddenError("office hours")
    assert await guard(Saying(refusal)).denial(ALICE, "threads:read", HERS) is refusal


async def test_a_policy_that_raises_has_said_no_and_is_logged_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    denial = await guard(Saying(ValueError(QUOTED))).denial(ALICE, "threads:read", HERS)
    assert denial is not None
    assert denial.reason == "policy failed"
    (record,) = [record for record in caplog.records if record.name == "chatkit_prod"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("a policy failed, which is a no\n")
    assert "ValueError" in record.getMessage()
    assert QUOTED not in caplog.text


def test_a_policy_that_is_not_async_is_refused_at_once() -> None:
    class Sync:
        def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
            raise NotImplementedError

    policy: Any = Sync()
    with pytest.raises(ConfigurationError, match=r"Sync\.allows must be async"):
        guard(policy)


async def test_a_policy_that_is_cancelled_has_not_answered() -> None:
    with pytest.raises(asyncio.CancelledError):
        await guard(Saying(asyncio.CancelledError())).denial(ALICE, "threads:read", HERS)


async def test_a_system_principal_is_not_asked_about_outside_of_a_request() -> None:
    job = system_principal("retention")
    never = guard(Saying(False))
    assert await never.denial(job, "threads:delete", HERS) is None
    with request(ALICE).as_current():
        denial = await guard(Everybody()).denial(job, "threads:delete", HERS)
    assert denial is not None
    assert denial.reason == "system principal in a request"


# ------------------------------------------------------------------------------------------------ admission


async def test_who_may_is_admitted_without_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    counter = Counter()
    await guard(OwnerOnly(), counter.provider).admit("threads:create", RequestContext(principal=ALICE))
    assert records(caplog) == []
    assert counter.points() == []


@pytest.mark.parametrize("action", get_args(Action))
async def test_who_may_not_leaves_one_record_and_is_counted_once(
    action: Action, caplog: pytest.LogCaptureFixture
) -> None:
    counter = Counter()
    state = request(ALICE)
    with state.as_current(), pytest.raises(ForbiddenError):
        await guard(PerAction({action: Saying(False)}), counter.provider).admit(
            action, RequestContext(principal=ALICE)
        )
    assert records(caplog) == [
        {
            "decision": "refused",
            **WHO,
            "action": action,
            "resource": None,
            "resource_id": None,
            "policy": "PerAction",
            "reason": "not allowed",
            "request_id": state.request_id,
        }
    ]
    assert counter.points() == [
        (1, {"chatkit.access.action": action, "chatkit.access.reason": "not allowed"}),
    ]


async def test_a_combination_gives_the_reasons_of_its_parts(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ForbiddenError):
        await guard(AllOf(Everybody(), Saying(False))).admit("feedback", RequestContext(principal=ALICE))
    (fields,) = records(caplog)
    assert (fields["policy"], fields["reason"]) == ("AllOf", "not allowed")
    bobs = Resource(kind="thread", id="thr_2", owner=Owner.of(BOB))
    for policy in (AllOf(Everybody(), OwnerOnly()), AnyOf(OwnerOnly(), HasScopes("admin"))):
        denial = await guard(policy).denial(ALICE, "threads:read", bobs)
        assert denial is not None
        assert denial.reason == "foreign"


async def test_a_missing_scope_is_told_to_the_client() -> None:
    with pytest.raises(InsufficientScopeError) as raised:
        await guard(HasScopes("chat:write")).admit("threads:write", RequestContext(principal=ALICE))
    assert 'scope="chat:write"' in raised.value.headers["WWW-Authenticate"]


async def test_what_a_policy_raises_is_never_told() -> None:
    with pytest.raises(ForbiddenError) as raised:
        await guard(Saying(ValueError(QUOTED))).admit("threads:write", RequestContext(principal=ALICE))
    assert QUOTED not in str(raised.value) + raised.value.message + raised.value.reason
    assert raised.value.__cause__ is None


# ------------------------------------------------------------------------------------------------ the record


def test_a_record_says_who_was_refused_what_and_why(caplog: pytest.LogCaptureFixture) -> None:
    state = request(BOB)
    with state.as_current():
        guard(PerAction({"feedback": OwnerOnly()})).record(
            ALICE, "attachments:delete", "foreign", "attachment", "atc_1"
        )
    assert records(caplog) == [
        {
            "decision": "refused",
            **WHO,
            "action": "attachments:delete",
            "resource": "attachment",
            "resource_id": "atc_1",
            "policy": "PerAction",
            "reason": "foreign",
            "request_id": state.request_id,
        }
    ]


def test_outside_of_a_request_a_record_has_no_request_id(caplog: pytest.LogCaptureFixture) -> None:
    guard(OwnerOnly()).record(ALICE, "threads:read", "foreign", "thread", "thr_1")
    (fields,) = records(caplog)
    assert fields["request_id"] is None
    assert "request_id" not in caplog.records[0].getMessage()


def test_a_refusal_is_counted_also_where_nobody_reads_the_audit_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counter = Counter()
    caplog.set_level(logging.ERROR, AUDIT)
    guard(OwnerOnly(), counter.provider).record(ALICE, "threads:read", "foreign", "thread", "thr_1")
    assert records(caplog) == []
    assert [count for count, _ in counter.points()] == [1]


def test_refusals_are_counted_by_action_resource_and_reason() -> None:
    counter = Counter()
    watched = guard(OwnerOnly(), counter.provider)
    for principal, resource_id in ((ALICE, "thr_1"), (BOB, "thr_2"), (BOB, "thr_3")):
        watched.record(principal, "threads:read", "foreign", "thread", resource_id)
    watched.record(BOB, "threads:read", "absent", "thread", "thr_2")
    watched.record(BOB, "threads:write", "of another thread", "item", "msg_2")
    counted = {tuple(attributes.values()): count for count, attributes in counter.points()}
    assert counted == {
        ("threads:read", "thread", "foreign"): 3,
        ("threads:read", "thread", "absent"): 1,
        ("threads:write", "item", "of another thread"): 1,
    }


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ForbiddenError("alice@example.com is suspended"), id="a reason of the app's"),
        pytest.param(ValueError("alice@example.com is suspended"), id="a failure"),
        pytest.param(False, id="a no"),
    ],
)
async def test_neither_a_user_nor_an_id_is_ever_counted_by(error: object) -> None:
    counter = Counter()
    watched = guard(Saying(error), counter.provider)
    with request(ALICE).as_current(), pytest.raises(ForbiddenError):
        await watched.admit("threads:read", RequestContext(principal=ALICE))
    denial = await watched.denial(ALICE, "threads:read", HERS)
    assert denial is not None
    watched.record(ALICE, "threads:read", denial.reason, "thread", "thr_1")
    for _, attributes in counter.points():
        assert set(attributes) <= {
            "chatkit.access.action",
            "chatkit.access.resource",
            "chatkit.access.reason",
        }
        assert not any(word in str(attributes) for word in ("alice", "acme", "thr_1", "example.com"))
    assert sum(count for count, _ in counter.points()) == 2
