"""Who is asking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.authentication import BaseUser


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal(BaseUser):
    """An authenticated caller; two principals are one user if issuer, tenant and subject are equal.

    Every value has been verified by an authenticator. The claims may still hold text that the user
    chose (a display name, say): they are evidence of who asks, never instructions.

    Args:
        issuer: Who vouches for the subject: the `iss` of a token, or a name for a local scheme.
        subject: The user's stable id at the issuer (`sub`); never reassigned.
        tenant: The organisation the caller acts for, if the app has tenants.
        scopes: What the credential allows (RFC 6749 §3.3).
        claims: Everything else the issuer says; kept out of `repr`, because it is personal.
        expires_at: Seconds since the epoch after which the credential is void; None if it has no end.
        method: How the caller proved it, for example `jwt`.
    """

    issuer: str
    subject: str
    tenant: str | None = None
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    expires_at: float | None = None
    method: str = ""

    @property
    def is_authenticated(self) -> bool:
        """Always true: there is no principal for an anonymous caller."""
        return True

    @property
    def display_name(self) -> str:
        """The subject: a name for people is the app's business."""
        return self.subject

    @property
    def identity(self) -> str:
        """The subject, as Starlette's users call it."""
        return self.subject
