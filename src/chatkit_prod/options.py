"""What an app passes in, checked: at construction where that can be, and otherwise at the first use."""

import inspect
import math
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, TypeGuard, TypeVar, cast

from .errors import ConfigurationError

T = TypeVar("T")

_MAX_TIME = 1e12


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a value is text, and not empty."""
    return isinstance(value, str) and value != ""


def is_time(value: object) -> TypeGuard[float]:
    """Tell whether a value is a time in seconds since the epoch (RFC 7519 §2), and not in milliseconds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_TIME


def named(value: object) -> str:
    """Return the type of a wrong value for an error message: the value itself may be a secret."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIO" else f"a {name}"


def seconds(value: Any, name: str) -> float:
    """Return a positive number of seconds.

    Raises:
        ConfigurationError: It is something else, or has no end.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ConfigurationError(f"{name} must be a positive number of seconds, not {value!r}")
    return value


def boolean(value: Any, name: str) -> bool:
    """Return true or false.

    Raises:
        ConfigurationError: It is something else.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be true or false, not {value!r}")
    return value


def listed(value: Any, name: str) -> tuple[str, ...]:
    """Return a list of texts, none of them empty.

    Raises:
        ConfigurationError: It is something else; one text alone is a list of letters, and never meant.
    """
    is_list = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    items = tuple(cast("Iterable[object]", value)) if is_list else (None,)
    texts = tuple(filter(is_text, items))
    if len(texts) < len(items):
        raise ConfigurationError(f"{name} must be a list of texts, not {value!r}")
    return texts


async def awaited(value: Awaitable[T], name: str) -> T:
    """Await what an app's own code has returned.

    Raises:
        ConfigurationError: It is nothing to await: the app's function is not async.
    """
    if not inspect.isawaitable(value):
        raise ConfigurationError(f"{name} must be async: it returned {named(value)}, nothing to await")
    return await value


async def looked_up(value: Awaitable[Any], name: str, kind: type[T]) -> T | None:
    """Await what an app's own look-up has returned: one of a kind, or None.

    Raises:
        ConfigurationError: It is something else, or nothing to await.
    """
    found = await awaited(value, name)
    if found is not None and not isinstance(found, kind):
        raise ConfigurationError(f"{name} must return {kind.__name__} or None, not {named(found)}")
    return found
