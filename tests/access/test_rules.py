"""A thread that is locked or closed says so, in the user's language; an attachment stays in its thread."""

from datetime import datetime
from gettext import NullTranslations

import pytest
from chatkit.errors import CustomStreamError
from chatkit.types import (
    ActiveStatus,
    ClosedStatus,
    FileAttachment,
    LockedStatus,
    ThreadMetadata,
    ThreadStatus,
)

from chatkit_prod import RequestState
from chatkit_prod.access.rules import bound_elsewhere, locked
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
    found = locked(thread(status))
    assert found is not None
    return found


def test_an_active_thread_takes_what_a_user_says() -> None:
    assert locked(thread(ActiveStatus())) is None


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


@pytest.mark.parametrize(
    ("bound_to", "thread_id", "expected"),
    [
        (None, None, False),
        (None, "thr_1", False),
        ("thr_1", "thr_1", False),
        ("thr_1", "thr_2", True),
        ("thr_1", None, True),
    ],
)
def test_an_attachment_is_bound_once(bound_to: str | None, thread_id: str | None, expected: bool) -> None:
    file = FileAttachment(id="atc_1", name="a.txt", mime_type="text/plain", thread_id=bound_to)
    assert bound_elsewhere(file, thread_id) is expected
