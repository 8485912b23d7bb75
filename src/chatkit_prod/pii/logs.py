"""Logs without personal data and without credentials."""

import logging
import re
from functools import cache
from typing import Any, NamedTuple

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named
from chatkit_prod.scrub import Scrubbed, TextScrubber

from .keys import KEYS, Keys
from .leaves import UNSCRUBBED, Leaves, safely
from .scrubber import Scrubber

_ATEXT = r"A-Za-z0-9.!#$%&'*+/=?^_`{|}~-"
_ADDRESS = (
    # The characters of RFC 5322 §3.2.3, from the first of them on: no place is looked at twice.
    re.compile(rf"(?<![{_ATEXT}])[{_ATEXT}]+@[A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{1,126}}"),
    "[EMAIL]",
)
_TOKENS = (
    # RFC 6750 §2.1; of any length, because a tail that is left would be a leak
    (re.compile(r"(?i)(\bbearer[ \t]{1,8})[A-Za-z0-9._~+/-]+={0,2}"), r"\1[TOKEN]"),
    (re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "[TOKEN]"),
)
_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})

_formatter = logging.Formatter()


class RedactingFilter(logging.Filter):
    """Take personal data and credentials out of what a logger or handler writes.

    Covers the message with its arguments, every attribute that was given as `extra`, the text of an exception
    with its causes, and the stack. Values whose name is denied, such as `password`, are replaced whole; ids stay.
    Bearer tokens are replaced whatever the scrubber knows. A record is cleaned in place, for every handler behind; none
    is dropped, and a scrubber that raises costs the text, not the record.

    Put it on a handler to cover every logger behind it; a filter on a logger does not see the records of its
    children.

    Args:
        scrubber: Finds what is personal; called where the record is written. None is a `Scrubber` with all
            detectors, that writes what kind of thing it was.
        keys: What names tell of values, in extras, in arguments, and in what is JSON.

    Raises:
        ConfigurationError: An argument is something else.
    """

    def __init__(self, scrubber: TextScrubber | None = None, *, keys: Keys = KEYS) -> None:
        super().__init__()
        if scrubber is not None and not callable(getattr(scrubber, "scrub", None)):
            raise ConfigurationError(f"scrubber must be a Scrubber, not {named(scrubber)}")
        if not isinstance(keys, Keys):
            raise ConfigurationError(f"keys must be Keys, not {named(keys)}")
        scrub = safely(_Default() if scrubber is None else _WithoutTokens(scrubber))
        self._leaves = Leaves(scrub, keys=keys)
        self._names = Leaves(None, keys=keys)

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record in place; never drops one."""
        attributes = vars(record)
        record.msg, record.args = self._leaves.text(self._message(record)), None
        if "message" in attributes:  # another handler has formatted it before
            record.message = record.msg
        if record.exc_info and not record.exc_text:
            record.exc_text = _text_of(record.exc_info)
        if record.exc_text:
            record.exc_info, record.exc_text = None, self._leaves.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self._leaves.text(record.stack_info)
        for name in attributes.keys() - _STANDARD:
            attributes[name] = self._extra(name, attributes[name])
        return True

    def _message(self, record: logging.LogRecord) -> str:
        """Return the text of a record; of one that does not fit its arguments, the text without them."""
        try:
            record.args = self._names.value(record.args)
            return record.getMessage()
        except Exception:  # noqa: BLE001 - a filter that raises would end the request that is logging
            return record.msg if isinstance(record.msg, str) else type(record.msg).__qualname__

    def _extra(self, name: str, value: object) -> Any:
        try:
            return self._leaves.field(name, value)
        except Exception:  # noqa: BLE001 - values are the app's: they may raise when they are looked at
            return UNSCRUBBED


def _text_of(exc_info: Any) -> str:
    """Return the text of an exception, however it was given."""
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    try:
        return _formatter.formatException(exc_info)
    except Exception:  # noqa: BLE001 - what is no exception may stand there, or one that cannot be shown
        return UNSCRUBBED


def redact(text: str) -> str:
    """Return a text with its e-mail addresses and bearer tokens replaced by their kind."""
    pattern, kind = _ADDRESS
    return _without_tokens(pattern.sub(kind, text))


def _without_tokens(text: str) -> str:
    for pattern, kind in _TOKENS:
        text = pattern.sub(kind, text)
    return text


class AddressesAndTokens:
    """Finds e-mail addresses and bearer tokens, and nothing else: it costs next to nothing."""

    def scrub(self, text: str, /) -> Scrubbed:
        """Return a text without them.

        Args:
            text: Untrusted.
        """
        return _Redacted(redact(text))


class _Redacted(NamedTuple):
    text: str


class _WithoutTokens:
    """A scrubber that sees no bearer tokens."""

    def __init__(self, scrubber: TextScrubber) -> None:
        self._scrubber = scrubber

    def scrub(self, text: str, /) -> Scrubbed:
        return self._scrubber.scrub(_without_tokens(text))


class _Default:
    """What is used where none is given: all detectors, and addresses that are stranger than theirs."""

    def __init__(self) -> None:
        self._scrubber = _all_detectors()  # what is wrong with it is to be known now, not record by record

    def scrub(self, text: str, /) -> Scrubbed:
        return self._scrubber.scrub(redact(text))


@cache
def _all_detectors() -> Scrubber:
    return Scrubber(action="label")
