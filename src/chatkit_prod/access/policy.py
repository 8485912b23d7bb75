"""Who may do what to whose: the rules, and how they are combined.

    AllOf(OwnerOnly(), PerAction({"threads:delete": HasScopes("chat:delete")}, otherwise=Everybody()))

Rules do no I/O here; a policy of an app's own may.
"""

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, get_args, runtime_checkable

from chatkit_prod.errors import ConfigurationError, ForbiddenError, InsufficientScopeError, stack_of
from chatkit_prod.options import is_text, listed, named
from chatkit_prod.principal import Principal

from .resources import READING, Action, Resource

logger = logging.getLogger("chatkit_prod")


@runtime_checkable
class AccessPolicy(Protocol):
    """Decides who may do what.

    It is asked twice or more in a request: once for the action alone, where a no is a 403, and then
    for each thread, item and attachment, where a no is the 404 of what does not exist. Anything but
    `True` is a no, and so is an exception; a `ForbiddenError` puts its reason into the audit record.
    """

    async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
        """Tell whether a principal may do something.

        Args:
            principal: Who asks; authenticated.
            action: What they want to do.
            resource: What to, with its owner; None for the question whether they may do it at all.
        """
        ...


@dataclass(frozen=True, slots=True)
class Everybody:
    """Allows everything to everybody who has been authenticated. To be combined, never to stand alone."""

    async def allows(self, _principal: Principal, _action: Action, _resource: Resource | None, /) -> bool:
        """Return true."""
        return True


@dataclass(frozen=True, slots=True)
class OwnerOnly:
    """Everybody may do everything with what is their own: issuer, tenant and subject are equal."""

    async def allows(self, principal: Principal, _action: Action, resource: Resource | None, /) -> bool:
        """Tell whether the resource is the principal's own."""
        return resource is None or resource.owner.is_same(principal)


@dataclass(frozen=True, slots=True)
class SameTenant:
    """Users of one tenant of one issuer may read what is another's of them; all else is the owner's.

    Who has no tenant shares with nobody.
    """

    async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
        """Tell whether the resource is the principal's own, or readable to their tenant."""
        if resource is None or resource.owner.is_same(principal):
            return True
        shared = principal.tenant is not None and action in READING
        theirs = (resource.owner.issuer, resource.owner.tenant)
        return shared and theirs == (principal.issuer, principal.tenant)


class HasScopes:
    """Who has all of these scopes may do everything; see `PerAction` for less.

    Args:
        scopes: As in the credentials (RFC 6749 §3.3).

    Raises:
        ConfigurationError: There is none, or one is no text.
    """

    def __init__(self, *scopes: str) -> None:
        self._scopes = listed(scopes, "scopes")
        if not scopes:
            raise ConfigurationError("HasScopes needs a scope: without one it would let everybody in")

    async def allows(self, principal: Principal, _action: Action, resource: Resource | None, /) -> bool:
        """Tell whether the principal has the scopes.

        Raises:
            InsufficientScopeError: They have not, and are asked for the action alone: the client is told which.
        """
        if principal.scopes.issuperset(self._scopes):
            return True
        if resource is None:
            raise InsufficientScopeError(self._scopes)
        return False


class HasRole:
    """Who has this role may do everything; see `PerAction` for less.

    Args:
        role: Its name.
        claim: The claim that holds the roles: a list, or one role as text.

    Raises:
        ConfigurationError: The role or the claim is no text.
    """

    def __init__(self, role: str, *, claim: str = "roles") -> None:
        if not (is_text(role) and is_text(claim)):
            raise ConfigurationError(
                "HasRole needs the name of a role, and of the claim that holds the roles"
            )
        self._role = role
        self._claim = claim

    async def allows(self, principal: Principal, _action: Action, _resource: Resource | None, /) -> bool:
        """Tell whether the principal has the role."""
        roles: object = principal.claims.get(self._claim)
        return roles == self._role or (
            isinstance(roles, list | tuple | set | frozenset) and self._role in roles
        )


class AllOf:
    """Allows what each of several policies allows; they are asked in turn until one says no.

    Args:
        policies: At least one.

    Raises:
        ConfigurationError: There is none, or one is no policy.
    """

    def __init__(self, *policies: AccessPolicy) -> None:
        self._policies = _checked(policies)

    async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
        """Tell whether all of them do."""
        for policy in self._policies:
            if await policy.allows(principal, action, resource) is not True:
                return False
        return True


class AnyOf:
    """Allows what one of several policies allows; they are asked in turn until one says yes.

    One that fails has said no, and the others are asked all the same.

    Args:
        policies: At least one.

    Raises:
        ConfigurationError: There is none, or one is no policy.
    """

    def __init__(self, *policies: AccessPolicy) -> None:
        self._policies = _checked(policies)

    async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
        """Tell whether one of them does.

        Raises:
            Exception: What one that failed has raised, if none does.
            ForbiddenError: The first reason that one gave, if none does.
        """
        failure: Exception | None = None
        refusal: ForbiddenError | None = None
        for policy in self._policies:
            try:
                if await policy.allows(principal, action, resource) is True:
                    if failure is not None:
                        logger.error("a policy failed, and another said yes\n%s", stack_of(failure))
                    return True
            except ForbiddenError as error:
                refusal = refusal or error
            except Exception as error:  # noqa: BLE001 - an app's own policy may raise anything, and has said no
                failure = failure or error
        no = failure or refusal
        if no is not None:
            raise no
        return False


class PerAction:
    """Asks another policy for each action.

    Args:
        policies: By action.
        otherwise: Asked for every other action; without it, they are refused.

    Raises:
        ConfigurationError: An action does not exist, or a policy is none.
    """

    def __init__(
        self, policies: Mapping[Action, AccessPolicy], *, otherwise: AccessPolicy | None = None
    ) -> None:
        if not isinstance(policies, Mapping):
            raise ConfigurationError(f"PerAction needs a policy by action, not {named(policies)}")
        if unknown := [str(action) for action in policies if action not in get_args(Action)]:
            raise ConfigurationError(
                f"there is no action {', '.join(unknown)}; there are {', '.join(get_args(Action))}"
            )
        _checked((*policies.values(), *(() if otherwise is None else (otherwise,))))
        self._policies = dict(policies)
        self._otherwise = otherwise

    async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
        """Tell whether the policy of the action does."""
        policy = self._policies.get(action, self._otherwise)
        return policy is not None and await policy.allows(principal, action, resource)


def _checked(policies: tuple[AccessPolicy, ...]) -> tuple[AccessPolicy, ...]:
    for policy in policies:
        require_policy(policy)
    if not policies:
        raise ConfigurationError("a combination needs at least one policy")
    return policies


def require_policy(policy: object) -> AccessPolicy:
    """Return a policy.

    Raises:
        ConfigurationError: It is something else, such as the class of one, or is not async.
    """
    if isinstance(policy, type) or not isinstance(policy, AccessPolicy):
        raise ConfigurationError(f"a policy must have the method allows, not be {named(policy)}")
    if not inspect.iscoroutinefunction(inspect.unwrap(policy.allows)):
        raise ConfigurationError(f"{type(policy).__name__}.allows must be async")
    return policy
