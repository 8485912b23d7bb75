"""Whose a thread or an attachment is, and the stamp in its metadata that says so.

    Principal → Owner ⇄ stamp, one text under one reserved key

A stamp is text, so that a database can index it and compare it with `str(Owner.of(principal))`.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self, TypeVar

from chatkit.types import Attachment, ThreadMetadata

from .errors import ConfigurationError
from .options import is_text, named
from .principal import Principal

TRow = TypeVar("TRow", ThreadMetadata, Attachment)

OWNER_KEY = "chatkit_prod.owner"
"""The one key of a thread's or an attachment's metadata that is not the app's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A user, as a stamp names them; two are one user if issuer, tenant and subject are equal.

    Args:
        issuer: Who vouches for the subject.
        subject: The user's stable id at the issuer.
        tenant: The organisation on whose behalf it was made, if the app has tenants.

    Raises:
        ConfigurationError: One of them is no text, or an empty one.
    """

    issuer: str
    subject: str
    tenant: str | None = None

    def __post_init__(self) -> None:
        tenant_or_any = self.subject if self.tenant is None else self.tenant
        if not (is_text(self.issuer) and is_text(self.subject) and is_text(tenant_or_any)):
            raise ConfigurationError("issuer, subject and tenant of an Owner must be text, and not empty")

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """Return the owner of what a principal makes."""
        return cls(issuer=principal.issuer, subject=principal.subject, tenant=principal.tenant)

    def is_same(self, principal: Principal) -> bool:
        """Tell whether a principal is this user."""
        return (
            self.subject == principal.subject
            and self.issuer == principal.issuer
            and self.tenant == principal.tenant
        )

    def __str__(self) -> str:
        return json.dumps([self.issuer, self.tenant, self.subject])


def stamped(row: TRow, owner: Owner) -> TRow:
    """Return a copy of a thread or an attachment that belongs to somebody, whoever had it before.

    Raises:
        ConfigurationError: The owner is none, such as a `Principal`.
    """
    if not isinstance(owner, Owner):
        raise ConfigurationError(f"an owner must be an Owner, not {named(owner)}: see Owner.of")
    return row.model_copy(update={"metadata": {**(row.metadata or {}), OWNER_KEY: str(owner)}})


def owner_of(row: ThreadMetadata | Attachment) -> Owner | None:
    """Return whose a thread or an attachment is; None without a stamp, and for one that was not made here."""
    stamp = (row.metadata or {}).get(OWNER_KEY)
    return _read(stamp) if isinstance(stamp, str) else None


@lru_cache  # a list is read row by row, and has few owners
def _read(stamp: str) -> Owner | None:
    try:
        found: Any = json.loads(stamp)
    except (ValueError, RecursionError):
        return None
    match found:
        case [str(issuer), None | str() as tenant, str(subject)] if issuer and subject and tenant != "":
            return Owner(issuer=issuer, subject=subject, tenant=tenant)
        case _:
            return None
