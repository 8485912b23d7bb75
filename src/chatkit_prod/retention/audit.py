"""One record for every thread that is deleted, held or released."""

from datetime import UTC, datetime
from typing import Literal

from chatkit.types import ThreadMetadata

from chatkit_prod.owner import owner_of
from chatkit_prod.records import audit_logger, write

from .policy import instant

Decision = Literal["deleted", "marked as deleted", "held", "released"]


def record(
    decision: Decision, thread: ThreadMetadata, *, reason: str, attachments: int | None = None
) -> None:
    """Leave an audit record: which thread, whose, how old, and why; never content.

    Args:
        decision: What becomes of the thread.
        thread: As it is stored.
        reason: Why, in a word or two; for a hold, the text of whoever put it there.
        attachments: How many were deleted with it.
    """
    owner = owner_of(thread)
    fields = {
        "decision": decision,
        "issuer": owner and owner.issuer,
        "user_id": owner and owner.subject,
        "tenant": owner and owner.tenant,
        "resource": "thread",
        "resource_id": thread.id,
        "age_days": (datetime.now(UTC) - instant(thread.created_at)).days,
        "attachments": attachments,
        "reason": reason,
    }
    write(audit_logger, fields)
