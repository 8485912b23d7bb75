"""The record of a refusal, on the logger `chatkit_prod.audit`; never what was refused."""

import logging

from chatkit_prod.records import audit_logger, who, write
from chatkit_prod.state import RequestState


def audit_refusal(reason: str) -> None:
    """Record that something was refused.

    Args:
        reason: Why, in a few words of ours.
    """
    if not audit_logger.isEnabledFor(logging.INFO):
        return
    state = RequestState.current()
    principal, _, operation = state.peek() if state else (None, None, None)
    fields = {
        "decision": "refused",
        **who(principal),
        "operation": operation.name if operation else None,
        "reason": reason,
        "request_id": state.request_id if state else None,
    }
    write(audit_logger, fields)
