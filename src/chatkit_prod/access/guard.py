"""Asks the policy, and records every no: on the audit logger, and in a counter.

    principal, action, resource → policy ┬→ yes
                                         └→ no, with a reason → audit record, counter

What a client is told is decided by whoever asked.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from chatkit.types import ThreadMetadata
from opentelemetry.metrics import MeterProvider, get_meter

from chatkit_prod.errors import ConfigurationError, ForbiddenError, stack_of
from chatkit_prod.operation import is_id
from chatkit_prod.options import named
from chatkit_prod.principal import Principal
from chatkit_prod.records import audit_logger, who, write
from chatkit_prod.state import RequestState

from .policy import AccessPolicy, require_policy
from .resources import Action, Kind, Resource
from .rules import locked
from .system import SystemPrincipal

TContext = TypeVar("TContext")

PrincipalOf = Callable[[TContext], Principal]

logger = logging.getLogger("chatkit_prod")

_COUNTED_REASONS = frozenset(
    {
        "absent",
        "bound to another thread",
        "closed",
        "foreign",
        "locked",
        "not allowed",
        "of another thread",
        "policy failed",
        "scope",
        "system principal in a request",
        "unknown operation",
        "unowned",
    }
)
"""The reasons of ours. One of an app's own policy is counted as `policy`: it may be any text."""


class PolicyFailedError(ForbiddenError):
    """The policy could not answer, which is a no; the cause is in the log."""

    def __init__(self) -> None:
        super().__init__("policy failed")


def principal_of(context: Any) -> Principal:
    """Return the `principal` of a context; where it has none, that of the request which the context was made for.

    Raises:
        ConfigurationError: There is neither.
    """
    found = getattr(context, "principal", None)
    if isinstance(found, Principal):
        return found
    state = RequestState.current()
    if state is None or context is None or state.context is not context:
        raise ConfigurationError(
            f"{named(context)} has no Principal as its principal, and is not the context of the request that is "
            "being answered: give it one, or pass principal= to the store"
        )
    return state.principal


def _checked(principal: PrincipalOf[TContext], context: TContext) -> Principal:
    found = principal(context)
    if not isinstance(found, Principal):
        raise ConfigurationError(f"principal must return a Principal, not {named(found)}")
    return found


class Guard(Generic[TContext]):
    """One policy, asked for whoever a context belongs to.

    Args:
        policy: Decides.
        principal: Maps the context of a store to who is asking; must raise where it cannot tell.
        meter_provider: Where the counter goes; the global provider if None.

    Attributes:
        policy: The policy that is asked.
        principal: Returns who is asking; a `ConfigurationError` where the context does not say.

    Raises:
        ConfigurationError: The policy is none, or `principal` cannot be called.
    """

    def __init__(
        self, policy: AccessPolicy, principal: PrincipalOf[TContext], meter_provider: MeterProvider | None
    ) -> None:
        if not callable(principal):
            raise ConfigurationError("principal must be a function of the context")
        self.policy = require_policy(policy)
        self.principal: PrincipalOf[TContext] = (
            principal if principal is principal_of else partial(_checked, principal)
        )
        self._refusals = get_meter("chatkit_prod", meter_provider=meter_provider).create_counter(
            "chatkit.access.refusals", unit="{refusal}", description="What somebody was not allowed to do."
        )

    async def admit(self, action: Action, context: TContext) -> None:
        """Refuse what the caller may not do, whatever it is done to.

        Raises:
            ForbiddenError: They may not; recorded.
        """
        principal = self.principal(context)
        denial = await self.denial(principal, action, None)
        if denial is not None:
            self.record(principal, action, denial.reason)
            raise denial

    def require_open(self, thread: ThreadMetadata, action: Action, context: TContext) -> None:
        """Refuse what a user says in a thread that is locked or closed.

        Raises:
            CustomStreamError: It is; recorded.
        """
        refusal = locked(thread)
        if refusal is not None:
            self.record(self.principal(context), action, thread.status.type, "thread", thread.id)
            raise refusal

    async def denial(
        self, principal: Principal, action: Action, resource: Resource | None
    ) -> ForbiddenError | None:
        """Return why a principal may not do something; None if they may."""
        if isinstance(principal, SystemPrincipal):
            return ForbiddenError("system principal in a request") if RequestState.within_request() else None
        try:
            allowed = await self.policy.allows(principal, action, resource)
        except ForbiddenError as error:
            return error
        except Exception as error:  # noqa: BLE001 - an app's own policy may raise anything, and has said no
            logger.error("a policy failed, which is a no\n%s", stack_of(error))
            return PolicyFailedError()
        if allowed is True:
            return None
        is_foreign = resource is not None and not resource.owner.is_same(principal)
        return ForbiddenError("foreign" if is_foreign else "not allowed")

    def record(
        self,
        principal: Principal,
        action: str,
        reason: str,
        kind: Kind | Literal["item"] | None = None,
        resource_id: str | None = None,
    ) -> None:
        """Leave one audit record of a refusal, and count it.

        Args:
            principal: Who was refused.
            action: What they wanted to do.
            reason: Why, in a word or two.
            kind: What to.
            resource_id: Which; never counted by, and left out if it is no id: a cursor may be any text.
        """
        cause = reason if reason in _COUNTED_REASONS else "policy"
        counted = {"action": action, "resource": kind, "reason": cause}
        self._refusals.add(1, {f"chatkit.access.{name}": value for name, value in counted.items() if value})
        if not audit_logger.isEnabledFor(logging.INFO):
            return
        state = RequestState.current()
        fields = {
            "decision": "refused",
            **who(principal),
            "action": action,
            "resource": kind,
            "resource_id": resource_id if resource_id is None or is_id(resource_id) else None,
            "policy": type(self.policy).__name__,
            "reason": reason,
            "request_id": state.request_id if state else None,
        }
        write(audit_logger, fields)
