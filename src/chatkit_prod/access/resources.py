"""What each of ChatKit's operations does, and to what.

    operation → Need: one action, and what becomes of the thread, the items and the attachments it names

The table is complete for the supported releases, which a test checks. A type that it lacks is refused.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from chatkit.types import (
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    InputTranscribeReq,
    ItemsFeedbackReq,
    ItemsListReq,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsCustomActionReq,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsRetryAfterItemReq,
    ThreadsSyncCustomActionReq,
    ThreadsUpdateReq,
)
from pydantic import BaseModel

from .owner import Owner

Action = Literal[
    "threads:create",
    "threads:read",
    "threads:write",
    "threads:delete",
    "attachments:create",
    "attachments:read",
    "attachments:write",
    "attachments:delete",
    "feedback",
    "transcribe",
    "actions",
]
"""What a caller wants to do. Items are part of their thread: a policy is asked for the thread."""

READING: frozenset[Action] = frozenset({"threads:read", "attachments:read"})
"""The actions that change nothing."""

Kind = Literal["thread", "attachment"]


class Resource(NamedTuple):
    """What an action is done to.

    Args:
        kind: What it is.
        id: Its id.
        owner: Whose it is.
        thread_id: The thread that an attachment is bound to, if it is.
    """

    kind: Kind
    id: str
    owner: Owner
    thread_id: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What one operation needs.

    Args:
        action: What it does, to the thread, the items and the attachments that it names.
        attachments: What it does to the attachments, where that is something else.
        is_turn: Whether it is the user's turn in a thread, which a locked or closed one does not take.
        reloads: Whether ChatKit loads first what the request names. The gate has just done that.
    """

    action: Action
    attachments: Action = "attachments:write"
    is_turn: bool = False
    reloads: bool = False


NEEDS: dict[type[BaseModel], Need] = {
    ThreadsCreateReq: Need("threads:create", reloads=True),
    ThreadsAddUserMessageReq: Need("threads:write", is_turn=True, reloads=True),
    ThreadsAddClientToolOutputReq: Need("threads:write", is_turn=True, reloads=True),
    ThreadsAddStructuredInputReq: Need("threads:write", is_turn=True, reloads=True),
    ThreadsRetryAfterItemReq: Need("threads:write", is_turn=True, reloads=True),
    ThreadsCustomActionReq: Need("actions", reloads=True),
    ThreadsSyncCustomActionReq: Need("actions", reloads=True),
    ThreadsGetByIdReq: Need("threads:read", reloads=True),
    ThreadsListReq: Need("threads:read"),
    ThreadsUpdateReq: Need("threads:write", reloads=True),
    ThreadsDeleteReq: Need("threads:delete"),
    ItemsListReq: Need("threads:read"),
    ItemsFeedbackReq: Need("feedback"),
    AttachmentsCreateReq: Need("attachments:create"),
    AttachmentsDeleteReq: Need("attachments:delete", attachments="attachments:delete"),
    InputTranscribeReq: Need("transcribe"),
}
