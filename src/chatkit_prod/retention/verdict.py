"""What becomes of a thread, at one moment."""

import logging
from datetime import datetime
from typing import Literal

from chatkit.types import ThreadMetadata

from chatkit_prod.errors import stack_of

from .hold import is_deleted, is_held
from .policy import RetentionPolicy

logger = logging.getLogger("chatkit_prod")

Verdict = Literal["live", "expired", "held", "unknown"]
"""Unknown is neither served nor deleted: the hook of the policy has failed."""


def verdict(policy: RetentionPolicy, thread: ThreadMetadata, now: datetime) -> Verdict:
    """Return what becomes of a thread.

    Args:
        policy: Says when it expires.
        thread: As it is stored.
        now: The time, with its zone.
    """
    if is_held(thread):
        return "held"
    if is_deleted(thread):
        return "expired"
    try:
        moment = policy.expires(thread)
    except Exception as error:  # noqa: BLE001 - an app's own hook may raise anything
        logger.error(
            "the hook expires_at= failed: a thread is neither served nor deleted\n%s", stack_of(error)
        )
        return "unknown"
    return "expired" if moment is not None and moment <= now else "live"


def is_served(policy: RetentionPolicy, thread: ThreadMetadata, now: datetime) -> bool:
    """Tell whether users get to see a thread; one under hold, unless it was to be deleted."""
    found = verdict(policy, thread, now)
    return found == "live" or (found == "held" and not is_deleted(thread))
