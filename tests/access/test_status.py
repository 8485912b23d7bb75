"""A thread that is locked or closed says so, in the user's language."""

from datetime import datetime
from gettext import NullTranslations

import pytest
from chatkit.errors import CustomStreamError
from chatkit.types import ActiveStatus, ClosedStatus, LockedStatus, ThreadMetadata, ThreadStatus

from chatkit_prod import RequestState
from chatkit_prod.access.status import require_open
from tests.servers import http_scope

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive


class French(NullTranslations):
    """A catalog of two texts."""

    def gettext(self, message: str) -> str:
        return {
            "This conversation is locked.": "Cette conversation est verrouillée.",
            "This conversation is closed.": "Cette conversation est terminée.",
        }[message]


def thread(status: ThreadStatus) -> ThreadMetadata:
    return ThreadMetadata(id="thr_1", created_at=NOW, status=status)


def refusal(status: ThreadStatus) -> CustomStreamError:
    with pytest.raises(CustomStreamError) as raised:
        require_open(thread(status))
    return raised.value


def test_an_active_thread_takes_what_a_user_says() -> None:
    require_open(thread(ActiveStatus()))


@pytest.mark.parametrize("status", [LockedStatus(reason="Quota."), ClosedStatus(reason="Quota.")], ids=repr)
def test_the_reason_of_the_app_is_shown_as_it_is(status: ThreadStatus) -> None:
    _, state = RequestState.seed(http_scope())
    state.translations = French()
    with state.as_current():
        assert refusal(status).message == "Quota."


STATUSES = pytest.mark.parametrize(
    ("status", "english", "french"),
    [
        (LockedStatus(), "This conversation is locked.", "Cette conversation est verrouillée."),
        (ClosedStatus(), "This conversation is closed.", "Cette conversation est terminée."),
        (LockedStatus(reason=""), "This conversation is locked.", "Cette conversation est verrouillée."),
        (ClosedStatus(reason=""), "This conversation is closed.", "Cette conversation est terminée."),
    ],
    ids=repr,
)


@STATUSES
def test_without_a_reason_the_text_is_ours_in_the_language_of_the_request(
    status: ThreadStatus, english: str, french: str
) -> None:
    _, state = RequestState.seed(http_scope())
    with state.as_current():
        assert refusal(status).message == english
        state.translations = French()
        assert refusal(status).message == french


@STATUSES
def test_outside_of_a_request_the_text_is_english(status: ThreadStatus, english: str, french: str) -> None:
    assert refusal(status).message == english


@pytest.mark.parametrize("status", [LockedStatus(), ClosedStatus()], ids=repr)
def test_a_second_try_is_not_offered(status: ThreadStatus) -> None:
    assert refusal(status).allow_retry is False
