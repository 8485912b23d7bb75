"""The record of a decision about who may come in, on the logger `chatkit_prod.audit`.

There is one for every answer of an `AuthMiddleware`, and for every refusal of an `OriginMiddleware`
and of the domain keys. A WebSocket is closed unread, and leaves none.
"""

import logging
from typing import Literal

from chatkit_prod.errors import RequestError
from chatkit_prod.records import audit_logger, who, write
from chatkit_prod.state import RequestState

Decision = Literal["allowed", "refused", "failed", "exempt"]
"""`failed`: the question could not be answered, which lets nobody in; `exempt`: it was not asked."""


def audit(state: RequestState, decision: Decision, refusal: RequestError | None = None) -> None:
    """Record who was let in, or why somebody was not; never a credential.

    Args:
        state: Knows who asks, if anybody does, and the request id, by which the record meets the
            access record and the trace.
        decision: What was decided.
        refusal: What the client is told; its `reason` is what the client is not told.
    """
    if not audit_logger.isEnabledFor(logging.INFO):
        return
    principal = state.peek().principal
    fields = {
        "decision": decision,
        **who(principal),
        "key_id": principal.claims.get("key_id") if principal and principal.method == "api_key" else None,
        "status": refusal.status if refusal else None,
        "code": refusal.code if refusal else None,
        "reason": (refusal.reason or refusal.code) if refusal else None,
        "request_id": state.request_id,
    }
    write(audit_logger, fields)
