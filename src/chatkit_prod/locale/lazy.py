"""Texts that are written down before it is known who reads them.

LOOKING_UP = lazy_gettext("Looking up your order…")
yield ProgressUpdateEvent(text=str(LOOKING_UP))
"""

from collections.abc import Callable
from functools import partial
from gettext import NullTranslations

from chatkit_prod.render import counted, looked_up
from chatkit_prod.state import RequestState
from chatkit_prod.texts import Plural


class LazyText:
    """A text that is in the language of the request in which it is turned into a `str`.

    Outside of a request it is as in the code. Two are equal if they are made of the same texts.

    Args:
        key: What it is made of.
        render: Returns it, out of a catalog.
    """

    __slots__ = ("_key", "_render")

    def __init__(self, key: tuple[object, ...], render: Callable[[NullTranslations], str]) -> None:
        self._key = key
        self._render = render

    def __str__(self) -> str:
        return self._render(RequestState.current_translations())

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"LazyText{self._key!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyText) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


def lazy_gettext(message: str, /) -> LazyText:
    """Return a lazy text.

    Args:
        message: As in the code: the key of the catalogs.
    """
    return LazyText((message,), partial(looked_up, message))


def lazy_ngettext(singular: str, plural: str, n: int, /) -> LazyText:
    """Return a lazy text about a number.

    Args:
        singular: The text for 1, as in the code.
        plural: The text for every other number.
        n: The number; stands for `{n}`, and for `{count}`.
    """
    text = Plural(singular, plural)
    return LazyText((singular, plural, n), lambda translations: counted(text, n, translations, n=n))


def lazy_pgettext(meaning: str, message: str, /) -> LazyText:
    """Return a lazy text that has several meanings.

    Args:
        meaning: Which of them, as in the code: the context of the catalogs.
        message: The text, as in the code.
    """
    return LazyText((meaning, message), lambda translations: translations.pgettext(meaning, message))
