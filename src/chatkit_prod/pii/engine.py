"""Which engine searches a text for triggers: RE2 where it is installed, the standard library otherwise."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from chatkit_prod.errors import ConfigurationError

Gate: TypeAlias = Callable[[bytes, int], int | None]
"""Returns where in a text of Latin-1, from a place on, the first match begins; None if there is none."""
Engine: TypeAlias = Callable[[str], Gate]
"""Compiles a pattern."""

re2: Any
try:
    import re2  # type: ignore[no-redef]
except ImportError:  # it has no wheels for musl
    re2 = None

EngineName: TypeAlias = Literal["auto", "re", "re2"]

_MAX_MEMORY = 64 << 20


def engine_of(name: EngineName) -> Engine | None:
    """Return an engine by its name; None for the standard library.

    Raises:
        ConfigurationError: There is none of that name, or it is not installed.
    """
    match name:
        case "re":
            return None
        case "auto" | "re2" if re2 is not None:
            return _re2_gate
        case "auto":
            return None
        case "re2":
            raise ConfigurationError('engine="re2" needs google-re2: pip install "chatkit-prod[pii]"')
        case _:
            raise ConfigurationError(f'engine must be "auto", "re" or "re2", not {name!r}')


def _re2_gate(pattern: str) -> Gate:
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    options.never_capture = True
    options.encoding = re2.Options.Encoding.LATIN1
    search = re2.compile(pattern.encode("latin-1"), options).search

    def first_match(text: bytes, begin: int) -> int | None:
        found = search(text, begin)
        return None if found is None else int(found.start())

    return first_match
