"""Whether a thread takes what a user says."""

from chatkit.errors import CustomStreamError
from chatkit.types import ActiveStatus, ThreadMetadata

from chatkit_prod.state import RequestState

_TEXTS = {"locked": "This conversation is locked.", "closed": "This conversation is closed."}


def require_open(thread: ThreadMetadata) -> None:
    """Refuse what a user says in a thread that is locked or closed.

    Raises:
        CustomStreamError: It is; with the reason in its status, which ChatKit's client shows as well, or
            else with a text of ours in the user's language.
    """
    status = thread.status
    if isinstance(status, ActiveStatus):
        return
    text = _TEXTS[status.type]
    state = RequestState.current()
    raise CustomStreamError(status.reason or (state.translations.gettext(text) if state else text))
