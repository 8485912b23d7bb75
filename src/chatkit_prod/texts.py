"""Every text of ours that a user may read, in English.

`chatkit_prod.locale` has them in the languages of ChatKit's client. An app overrides one with a translation of
it in a catalog of its own, and may use them for its own errors.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Plural(NamedTuple):
    """A text about a number, which stands in it as `{count}`.

    Args:
        one: The form for 1.
        other: The form for every other number.
    """

    one: str
    other: str


SIGN_IN = "Sign in to continue."
SESSION_INVALID = "Your session is no longer valid. Sign in again."
SESSION_ENDED = "Your session has ended. Sign in again."
NOT_ALLOWED = "You are not allowed to do this."
NOT_FOUND = "This could not be found."
INVALID_REQUEST = "The request is not valid."
WRONG_METHOD = "This method is not allowed."
NOT_JSON = "The request must be JSON."
TOO_LARGE = "This is too large to send."
FAILED = "Something went wrong. Try again."
BUSY = "There are too many requests right now. Try again in a moment."
STOPPED = "The answer was stopped."
LOCKED = "This conversation is locked."
CLOSED = "This conversation is closed."
TEXT_TOO_LONG = Plural(
    "Your message is too long. It can have at most {count} character.",
    "Your message is too long. It can have at most {count} characters.",
)
TOO_MANY_ATTACHMENTS = Plural(
    "A message can have at most {count} attachment.", "A message can have at most {count} attachments."
)
TOO_FAST = Plural(
    "You are sending messages too quickly. Try again in {count} second.",
    "You are sending messages too quickly. Try again in {count} seconds.",
)
LIMIT_MINUTES = Plural(
    "You have reached a limit. Try again in {count} minute.",
    "You have reached a limit. Try again in {count} minutes.",
)
LIMIT_HOURS = Plural(
    "You have reached a limit. Try again in {count} hour.",
    "You have reached a limit. Try again in {count} hours.",
)

ALL: Mapping[str, str | Plural] = {
    "SIGN_IN": SIGN_IN,
    "SESSION_INVALID": SESSION_INVALID,
    "SESSION_ENDED": SESSION_ENDED,
    "NOT_ALLOWED": NOT_ALLOWED,
    "NOT_FOUND": NOT_FOUND,
    "INVALID_REQUEST": INVALID_REQUEST,
    "WRONG_METHOD": WRONG_METHOD,
    "NOT_JSON": NOT_JSON,
    "TOO_LARGE": TOO_LARGE,
    "FAILED": FAILED,
    "BUSY": BUSY,
    "STOPPED": STOPPED,
    "LOCKED": LOCKED,
    "CLOSED": CLOSED,
    "TEXT_TOO_LONG": TEXT_TOO_LONG,
    "TOO_MANY_ATTACHMENTS": TOO_MANY_ATTACHMENTS,
    "TOO_FAST": TOO_FAST,
    "LIMIT_MINUTES": LIMIT_MINUTES,
    "LIMIT_HOURS": LIMIT_HOURS,
}
"""All of them, by name."""
