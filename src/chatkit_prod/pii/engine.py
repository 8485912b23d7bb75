"""Which engine searches a text for triggers: RE2 where it is installed, the standard library otherwise."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias

from chatkit_prod.errors import ConfigurationError

Gate: TypeAlias = Callable[[bytes, int], int | None]
"""Returns where in a text of Latin-1, from a place on, the first match begins; None if there is none."""
Tried: TypeAlias = Callable[[bytes], Sequence[int] | None]
"""Returns which of several patterns fit a text of Latin-1 from its beginning on."""

re2: Any
try:
    import re2  # type: ignore[no-redef]
except ImportError:  # it has no wheels for musl
    re2 = None

EngineName: TypeAlias = Literal["auto", "re", "re2"]

_MAX_MEMORY = 64 << 20


class Engine:
    """RE2: searches in a time that is linear in the text, and tries many patterns at once."""

    def __init__(self) -> None:
        self._options = re2.Options()
        self._options.max_mem = _MAX_MEMORY
        self._options.log_errors = False
        self._options.never_capture = True
        self._options.encoding = re2.Options.Encoding.LATIN1

    def gate(self, pattern: str) -> Gate:
        """Return what searches a text for a pattern."""
        search = re2.compile(pattern.encode("latin-1"), self._options).search

        def first_match(text: bytes, begin: int) -> int | None:
            found = search(text, begin)
            return None if found is None else int(found.start())

        return first_match

    def tried(self, patterns: Iterable[str]) -> Tried:
        """Return what tries all patterns at the beginning of a text."""
        tried = re2.Set.MatchSet(self._options)
        for pattern in patterns:
            tried.Add(pattern.encode("latin-1"))
        tried.Compile()
        return tried.Match  # type: ignore[no-any-return]


def engine_of(name: EngineName) -> Engine | None:
    """Return an engine by its name; None for the standard library.

    Raises:
        ConfigurationError: There is none of that name, or it is not installed.
    """
    match name:
        case "re":
            return None
        case "auto" | "re2" if re2 is not None:
            return Engine()
        case "auto":
            return None
        case "re2":
            raise ConfigurationError('engine="re2" needs google-re2: pip install "chatkit-prod[pii]"')
        case _:
            raise ConfigurationError(f'engine must be "auto", "re" or "re2", not {name!r}')
