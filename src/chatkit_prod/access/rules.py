"""What no policy decides: a locked thread takes no more messages, and an attachment stays in its thread."""

from chatkit.errors import CustomStreamError
from chatkit.types import ActiveStatus, Attachment, ThreadMetadata

from chatkit_prod import texts
from chatkit_prod.state import RequestState

_TEXTS = {"locked": texts.LOCKED, "closed": texts.CLOSED}


def locked(thread: ThreadMetadata) -> CustomStreamError | None:
    """Return what a user is told who says something in a thread that is locked or closed.

    That is the reason in its status, which ChatKit's client shows as well, or else a text of ours in the
    user's language; None if the thread is open.
    """
    status = thread.status
    if isinstance(status, ActiveStatus):
        return None
    text = RequestState.current_translations().gettext(_TEXTS[status.type])
    return CustomStreamError(status.reason or text)


def bound_elsewhere(attachment: Attachment, thread_id: str | None) -> bool:
    """Tell whether an attachment is bound already, and to another thread than this one."""
    return attachment.thread_id not in (None, thread_id)
