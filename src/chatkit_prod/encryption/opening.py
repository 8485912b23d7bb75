"""What becomes of rows that cannot be opened: one record each, and an error or a gap.

A record of the logger `chatkit_prod` has ids, the id of a key and the reason, never content.
"""

import json
import logging
from collections import OrderedDict
from typing import Literal

from .errors import UnsealError

Kind = Literal["thread", "item", "attachment"]

logger = logging.getLogger("chatkit_prod")

_REMEMBERED = 1000


class Complaints:
    """Writes one record for each row and reason; of the latest, it is remembered that there is one."""

    def __init__(self) -> None:
        self._written: OrderedDict[tuple[Kind, str, str, str], None] = OrderedDict()

    def record(self, error: UnsealError, kind: Kind, row_id: str, thread_id: str = "") -> UnsealError:
        """Write a record at level ERROR, unless there is one; return the error."""
        said = kind, thread_id, row_id, error.reason
        if said not in self._written:
            fields = {"kind": kind, "id": row_id, "thread_id": thread_id or None}
            fields |= {"key_id": error.key_id, "reason": error.reason}
            text = " ".join(
                f"{name}={json.dumps(value)}" for name, value in fields.items() if value is not None
            )
            logger.error("a stored row cannot be opened: %s", text, extra={"chatkit": fields})
            self._written[said] = None
            if len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)
        return error
