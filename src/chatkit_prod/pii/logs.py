"""Logs without personal data."""

import logging
import re

_ATEXT = r"A-Za-z0-9.!#$%&'*+/=?^_`{|}~-"
_RULES = (
    # The characters of RFC 5322 §3.2.3, from the first of them on: no place is looked at twice.
    (
        re.compile(rf"(?<![{_ATEXT}])[{_ATEXT}]+@[A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{1,126}}"),
        "[EMAIL]",
    ),
    # RFC 6750 §2.1; of any length, because a tail that is left would be a leak
    (re.compile(r"(?i)(\bbearer[ \t]{1,8})[A-Za-z0-9._~+/-]+={0,2}"), r"\1[TOKEN]"),
    (re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "[TOKEN]"),
)

_formatter = logging.Formatter()


class RedactingFilter(logging.Filter):
    """Replace e-mail addresses and bearer tokens in what a logger or handler writes.

    Covers the message with its arguments, the text of an exception and the stack. Put it on a
    handler to cover every logger behind it; a filter on a logger does not see the records of its children.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record in place; never drops one."""
        record.msg, record.args = redact(_message(record)), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_info, record.exc_text = None, redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def _message(record: logging.LogRecord) -> str:
    """Return the text of a record; of one that does not fit its arguments, the text without them."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a filter that raises would end the request that is logging
        return record.msg if isinstance(record.msg, str) else type(record.msg).__qualname__


def redact(text: str) -> str:
    """Return a text with its e-mail addresses and bearer tokens replaced by their kind."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
