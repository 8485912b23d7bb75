"""Logs without personal data."""

import logging
import re

_RULES = (
    (re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"), "[EMAIL]"),
    (re.compile(r"(?i)(\bbearer[ \t]{1,8})[A-Za-z0-9._~+/-]{1,8192}={0,2}"), r"\1[TOKEN]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,8192}\.[A-Za-z0-9_-]{1,8192}\.[A-Za-z0-9_-]{1,8192}"), "[TOKEN]"),
)

_formatter = logging.Formatter()


class RedactingFilter(logging.Filter):
    """Replace e-mail addresses and bearer tokens in what a logger or handler writes.

    Covers the message with its arguments, the text of an exception and the stack. Put it on a
    handler to cover every logger behind it; a filter on a logger does not see the records of its children.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record in place; never drops one."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_info, record.exc_text = None, redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def redact(text: str) -> str:
    """Return a text with its e-mail addresses and bearer tokens replaced by their kind."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
