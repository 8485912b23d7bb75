"""When a thread expires. No I/O, no clock.

created_at + its tenant's age, or max_age → shorter for its status? → the hook → the moment, or None
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from chatkit.types import ThreadMetadata

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import is_text, named
from chatkit_prod.owner import Owner, owner_of

Status = Literal["active", "locked", "closed"]
"""What ChatKit knows a thread to be."""

ExpiresAt = Callable[[ThreadMetadata, Owner | None, datetime | None], datetime | None]
"""An app's own rule: a thread, its owner, and the moment by the other rules, to the moment that counts."""

_STATUSES: Final = frozenset(get_args(Status))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """Says until when a thread is kept (GDPR Art. 5(1)(e): no longer than is necessary).

    The age of a thread counts from its creation: ChatKit stores no other time. A time without a zone is taken
    for local time, which is how ChatKit makes them: processes of one app need one time zone.

    Args:
        max_age: How long a thread is kept; None for ever.
        by_tenant: What takes the place of `max_age` for the threads of a tenant, shorter or longer; None for ever.
            Whose a thread is, its owner's stamp says.
        by_status: How long a thread is kept at most while it has a status; never longer than without.
        expires_at: Has the last word, from the thread as it is stored, its owner, and the moment by the other
            rules. Called often: it must be quick, and depend on nothing but these. If it raises, the thread is
            neither served nor deleted.

    Raises:
        ConfigurationError: An age is no positive `timedelta`, a status is unknown, the hook cannot be called, or
            nothing would ever expire.
    """

    max_age: timedelta | None
    by_tenant: Mapping[str, timedelta | None] = field(default_factory=dict[str, timedelta | None])
    by_status: Mapping[Status, timedelta] = field(default_factory=dict[Status, timedelta])
    expires_at: ExpiresAt | None = None

    def __post_init__(self) -> None:
        for name in ("by_tenant", "by_status"):
            object.__setattr__(self, name, MappingProxyType(_mapping(getattr(self, name), name)))
        unknown = self.by_status.keys() - _STATUSES
        if unknown:
            raise ConfigurationError(f"by_status knows active, locked and closed, not {sorted(unknown)}")
        if not all(map(is_text, self.by_tenant)):
            raise ConfigurationError("by_tenant must map the names of tenants to ages")
        _require_age(self.max_age, "max_age")
        for tenant, age in self.by_tenant.items():
            _require_age(age, f"by_tenant[{tenant!r}]")
        for status, age in self.by_status.items():
            _require_age(age or 0, f"by_status[{status!r}]")
        if self.expires_at is not None and not callable(self.expires_at):
            raise ConfigurationError(f"expires_at must be a function, not {named(self.expires_at)}")
        if self.expires_at is None and self.shortest_age is None:
            raise ConfigurationError("nothing would ever expire: give max_age a timedelta")

    @property
    def shortest_age(self) -> timedelta | None:
        """The age before which no thread expires; None if there is none, or nobody can tell because of the hook."""
        ages = [self.max_age, *self.by_tenant.values(), *self.by_status.values()]
        known = [age for age in ages if age is not None]
        return min(known) if known and self.expires_at is None else None

    def expires(self, thread: ThreadMetadata) -> datetime | None:
        """Return when a thread expires, in UTC; None for never.

        Args:
            thread: The thread as it is stored, with its owner's stamp.

        Raises:
            ConfigurationError: The hook has returned something else.
        """
        owner = owner_of(thread)
        tenant = owner.tenant if owner else None
        age = self.max_age if tenant is None else self.by_tenant.get(tenant, self.max_age)
        at_most = self.by_status.get(thread.status.type)
        ages = [limit for limit in (age, at_most) if limit is not None]
        moment = _after(instant(thread.created_at), min(ages)) if ages else None
        if self.expires_at is None:
            return moment
        found = self.expires_at(thread, owner, moment)
        if found is not None and not isinstance(found, datetime):
            raise ConfigurationError(f"expires_at must return a datetime or None, not {named(found)}")
        return None if found is None else instant(found)


def instant(time: datetime) -> datetime:
    """Return a time in UTC; one without a zone is local, as `datetime.now()` of ChatKit makes them."""
    try:
        return time.astimezone(UTC)
    except (OverflowError, ValueError, OSError):  # within hours of the first or the last year there is
        return time.replace(tzinfo=UTC)


def _after(start: datetime, age: timedelta) -> datetime | None:
    try:
        return start + age
    except OverflowError:
        return None


def _mapping(value: Any, name: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be a mapping to ages, not {named(value)}")
    return {**value}


def _require_age(age: object, name: str) -> None:
    if age is not None and not (isinstance(age, timedelta) and age > timedelta()):
        raise ConfigurationError(f"{name} must be a positive timedelta, such as timedelta(days=30)")
