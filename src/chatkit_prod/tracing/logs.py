"""Records of stdlib logging: whose they are, as one line of JSON, and without the text of an exception."""

import json
import logging
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from opentelemetry.trace import INVALID_SPAN, get_current_span

from chatkit_prod.errors import stack_of

from .failures import type_of
from .request import TracedRequest
from .user import NOBODY

IDS: Final = ("trace_id", "span_id", "request_id", "operation", "user_id", "user_hash", "thread_id")
"""What `RequestFilter` adds to a record, by the names that the access record has."""

EXCEPTION_TYPE: Final = "exception_type"
EXCEPTION_STACK: Final = "exception_stack"
"""What `ExceptionTextFilter` leaves of an exception."""

# Not `chatkit_prod.client`: its events belong to another request than the one that has brought them.
_OURS: Final = ("chatkit_prod", "chatkit_prod.access", "chatkit_prod.audit", "chatkit")
_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "chatkit", *IDS})


class RequestFilter(logging.Filter):
    """Tell which request a record belongs to.

    Adds to every record the attributes `trace_id` and `span_id`, in hexadecimal, and empty where there is no
    span; `request_id`, `operation`, `user_id` or `user_hash`, as the middleware's `user_as` has it, and `thread_id`,
    None where they are not known. An attribute that a record has already stays. No record is dropped.

    On a handler it covers every logger behind it; on a logger it covers those records alone that are written
    to that very logger. Put it where records are written, not behind a queue: there the request is another.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids in place."""
        for name, value in _ids().items():
            vars(record).setdefault(name, value)
        return True


def identify_records() -> None:
    """Tell with every record of this package and of ChatKit which request it belongs to."""
    for name in _OURS:
        logger = logging.getLogger(name)
        if not any(isinstance(found, RequestFilter) for found in logger.filters):
            logger.addFilter(RequestFilter())


def _ids() -> dict[str, str | None]:
    around = TracedRequest.around()
    request = TracedRequest.current()
    has_outlived = around is not None and request is None  # what goes on then is not that request's any more
    span = (INVALID_SPAN if has_outlived else get_current_span()).get_span_context()
    user = request.user if request else NOBODY
    return {
        "trace_id": f"{span.trace_id:032x}" if span.is_valid else "",
        "span_id": f"{span.span_id:016x}" if span.is_valid else "",
        "request_id": request.state.request_id if request else None,
        "operation": request.operation_name if request else None,
        "user_id": user.id,
        "user_hash": user.hash,
        "thread_id": request.state.thread_id if request else None,
    }


class ExceptionTextFilter(logging.Filter):
    """Take the text of exceptions out of the records of loggers that are not ours to change.

    The text of an exception may quote what a user wrote. Of a record that carries one, as its message, among its
    arguments or as `exc_info`, there remain the type, as its message, and where it was raised, as its
    `exc_text`; both stand in its attributes `exception_type` and `exception_stack` as well. Its causes and
    notes go with the text. None is dropped.

    It must stand in front of any filter that turns `exc_info` into text.

    Args:
        keeps_others: Whether records without an exception stay as they are, or only tell where they come from.
    """

    def __init__(self, *, keeps_others: bool = True) -> None:
        super().__init__()
        self._keeps_others = keeps_others

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record in place."""
        error = _exception_of(record)
        if error is not None:
            kind, stack = type_of(error), stack_of(error)
            vars(record).update({EXCEPTION_TYPE: kind, EXCEPTION_STACK: stack})
            record.msg, record.args = kind, None
            record.exc_info, record.exc_text = None, stack
        elif not self._keeps_others:
            record.msg, record.args = f"{record.module}:{record.lineno}", None
        return True


def keep_texts_out(name: str) -> None:
    """Take all text out of what is written to one logger, but for the types of exceptions and where it was written."""
    logger = logging.getLogger(name)
    if not any(isinstance(found, ExceptionTextFilter) for found in logger.filters):
        logger.filters.insert(0, ExceptionTextFilter(keeps_others=False))


def _exception_of(record: logging.LogRecord) -> BaseException | None:
    """Return the exception that a record carries: that of `exc_info` before those of its text."""
    arguments = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    found = (raised(record), record.msg, *arguments)
    return next((value for value in found if isinstance(value, BaseException)), None)


def raised(record: logging.LogRecord) -> BaseException | None:
    """Return the exception of `exc_info`, if it has one."""
    return record.exc_info[1] if isinstance(record.exc_info, tuple) else None


def text_of(record: logging.LogRecord) -> str:
    """Return the message of a record; an exception that is the message, or an argument of it, is named by its type."""
    clean = copy(record)
    clean.msg = _wordless(record.msg)
    if isinstance(record.args, Mapping):
        clean.args = {name: _wordless(value) for name, value in record.args.items()}
    elif record.args:
        clean.args = tuple(map(_wordless, record.args))
    try:
        return clean.getMessage()
    except Exception:  # noqa: BLE001 - whoever writes a record must not fail over it
        return clean.msg if isinstance(clean.msg, str) else type(clean.msg).__qualname__


def _wordless(value: Any, depth: int = 3) -> Any:
    """Return a value with its exceptions named by their types, also those that it holds."""
    if isinstance(value, BaseException):
        return type_of(value)
    if depth and isinstance(value, Mapping):
        return {key: _wordless(held, depth - 1) for key, held in _pairs(cast("Any", value))}
    if depth and isinstance(value, list | tuple | set | frozenset):
        clean = [_wordless(held, depth - 1) for held in cast("Iterable[Any]", value)]
        return tuple(clean) if isinstance(value, tuple) else clean
    return value


def _pairs(mapping: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    return mapping.items()


def exception_fields(record: logging.LogRecord) -> dict[str, str]:
    """Return the type and the stack of the exception that a record carries, if it does."""
    error = raised(record)
    if error is not None:
        return {EXCEPTION_TYPE: type_of(error), EXCEPTION_STACK: stack_of(error)}
    kept = {name: vars(record).get(name) for name in (EXCEPTION_TYPE, EXCEPTION_STACK)}
    return {name: value for name, value in kept.items() if isinstance(value, str)}


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return what a record of this package says, by name; nothing of one that says nothing in this way."""
    fields = vars(record).get("chatkit")
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}


class JSONFormatter(logging.Formatter):
    """Write a record as one line of JSON.

    It has `time` (ISO 8601, UTC), `level`, `logger` and `message`; the fields of the records of this package; the
    ids of `RequestFilter`, as far as they are known; every other attribute that was given as `extra`; and of an
    exception its `exception_type` and `exception_stack`, without its text. The first of two with one name counts.

    Texts, numbers, times and UUIDs are written, and lists and objects of them; anything else by the name of its
    type, for what its text would say is not known here.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        attributes = vars(record)
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": text_of(record),
        }
        said = {name: value for name, value in fields_of(record).items() if value is not None}
        ids = {name: attributes[name] for name in IDS if attributes.get(name)}
        if "user_id" in said:
            ids.pop("user_hash", None)  # beside the id, it would tell whose every other hash is
        stack = {"stack": record.stack_info} if record.stack_info else {}
        extra = {name: value for name, value in attributes.items() if name not in _STANDARD}
        for more in (said, ids, exception_fields(record), stack, fields_of(record), extra):
            for name, value in more.items():
                fields.setdefault(name, value)
        return "{" + ", ".join(f"{json.dumps(name)}: {_json(value)}" for name, value in fields.items()) + "}"


def _json(value: object) -> str:
    try:
        return json.dumps(value, default=plain, allow_nan=False)
    except Exception:  # noqa: BLE001 - values are the app's: they may be circular, endless, or raise themselves
        return json.dumps(plain(value))


def plain(value: object) -> str:
    """Return text as it is, a value of a few other types as text, and anything else by the name of its type."""
    if isinstance(value, str | UUID | datetime | date | time | Decimal):
        return str(value)
    return type(value).__qualname__
