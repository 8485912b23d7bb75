"""Who is asking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.authentication import BaseUser

from .errors import ConfigurationError
from .options import is_text, is_time


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
        claims: Everything else the issuer says; kept out of `repr`, because it is personal. Those of a
            token are immutable to their depth: a JSON object is a mapping, an array is a tuple.
        expires_at: Seconds since the epoch after which the credential is void; None if it has no end.
        method: How the caller proved it, for example `jwt`.

    Raises:
        ConfigurationError: Issuer, subject or tenant is no text, or an empty one; the scopes are no
            frozenset; the end is no time.
    """

    issuer: str
    subject: str
    tenant: str | None = None
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    expires_at: float | None = None
    method: str = ""

    def __post_init__(self) -> None:
        tenant_or_any = self.subject if self.tenant is None else self.tenant
        if not (is_text(self.issuer) and is_text(self.subject) and is_text(tenant_or_any)):
            raise ConfigurationError("issuer, subject and tenant of a Principal must be text, and not empty")
        if not isinstance(self.scopes, frozenset) or not all(map(is_text, self.scopes)):
            raise ConfigurationError(
                'scopes of a Principal must be a frozenset of texts, such as frozenset({"chat"})'
            )
        if self.expires_at is not None and not is_time(self.expires_at):
            raise ConfigurationError("expires_at of a Principal must be seconds since the epoch, or None")

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
