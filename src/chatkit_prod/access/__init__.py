"""Whose is what: nobody reaches another user's threads or attachments, by any operation."""

from .attachments import OwnershipAttachmentStore
from .guard import PrincipalOf
from .owner import OWNER_KEY, Owner, owner_of, stamped
from .policy import (
    AccessPolicy,
    AllOf,
    AnyOf,
    Everybody,
    HasRole,
    HasScopes,
    OwnerOnly,
    PerAction,
    SameTenant,
)
from .resources import Action, Resource
from .rows import Owns
from .store import OwnershipStore
from .system import SystemPrincipal, system_principal

__all__ = [
    "OWNER_KEY",
    "AccessPolicy",
    "Action",
    "AllOf",
    "AnyOf",
    "Everybody",
    "HasRole",
    "HasScopes",
    "Owner",
    "OwnerOnly",
    "OwnershipAttachmentStore",
    "OwnershipStore",
    "Owns",
    "PerAction",
    "PrincipalOf",
    "Resource",
    "SameTenant",
    "SystemPrincipal",
    "owner_of",
    "stamped",
    "system_principal",
]
