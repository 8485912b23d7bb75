"""A folder of gettext catalogs, each loaded once and held.

    directory/<locale>/LC_MESSAGES/<domain>.mo → near("fr-CA"): those of fr_CA and fr → chain: one after the other

Which catalogs a locale gets is looked up in what was found there: no path is ever made of a locale.
"""

import gettext
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING

from chatkit_prod.errors import ConfigurationError

from .distance import distance, near_languages
from .tags import MAX_TAG_CHARACTERS, LocaleKey, likely_subtags, normalized, parse_locale

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_HELD_LOCALES = 512
_SAME_LANGUAGE = 1
"""How far `nb` is from `no`, and no two other languages from each other."""


class _Entry:
    """A catalog that was found.

    Args:
        name: Of its folder, in lower case, with hyphens.
        key: What the name says.
        load: Returns the catalog; reads it the first time.
    """

    __slots__ = ("key", "load", "name")

    def __init__(self, name: str, key: LocaleKey, load: Callable[[], gettext.GNUTranslations]) -> None:
        self.name = name
        self.key = key
        self.load = load


class Catalogs:
    """The catalogs of one folder.

    Args:
        directory: The folder of the locales, which are called as `fr`, `fr_FR` or `zh_Hant`; others are passed over.
        domain: The name of the catalogs.
    """

    def __init__(self, directory: "Traversable", domain: str) -> None:
        self._entries = list(_entries(directory, domain))
        self._held = lru_cache(_HELD_LOCALES)(self._near)

    def __len__(self) -> int:
        return len(self._entries)

    def near(self, locale: str) -> tuple[gettext.GNUTranslations, ...]:
        """Return the catalogs of a language in its script, those of the same region first.

        Args:
            locale: A tag, or the name of a folder; untrusted.

        Raises:
            ConfigurationError: One of them cannot be read.
        """
        return self._held(locale) if len(locale) <= MAX_TAG_CHARACTERS else ()

    def _near(self, locale: str) -> tuple[gettext.GNUTranslations, ...]:
        asked = parse_locale(locale)
        if asked is None:
            return ()
        languages = near_languages(asked.language)
        near = [
            entry
            for entry in self._entries
            if languages.get(entry.key.language, _SAME_LANGUAGE + 1) <= _SAME_LANGUAGE
            and entry.key.script == asked.script
        ]
        near.sort(key=partial(_rank, asked, normalized(locale)))
        return tuple(entry.load() for entry in near)


def _rank(asked: LocaleKey, name: str, entry: _Entry) -> tuple[bool, int, bool, bool, int]:
    """Return how near a catalog is: the same name, the same region or a near one, and then the usual one."""
    key = entry.key
    is_elsewhere = key.region != asked.region
    return (
        entry.name != name,
        near_languages(asked.language)[key.language] + distance(asked, key, 0),
        is_elsewhere and key.region != likely_subtags(key.language, key.script, "")[2],
        not key.is_plain,
        key.explicit if is_elsewhere else key.explicit ^ asked.explicit,
    )


def chain(catalogs: Iterable[gettext.GNUTranslations]) -> gettext.NullTranslations:
    """Return the first of some catalogs, which asks the others for what it lacks."""
    first = gettext.NullTranslations()
    for place, catalog in enumerate(catalogs):
        link = copy(catalog)  # adding to what is held would add to every chain
        if place == 0:
            first = link
        else:
            first.add_fallback(link)
    return first


def _entries(directory: "Traversable", domain: str) -> Iterator[_Entry]:
    if not directory.is_dir():
        return
    for folder in sorted(directory.iterdir(), key=lambda entry: entry.name):
        file = folder / "LC_MESSAGES" / f"{domain}.mo"
        key = parse_locale(folder.name)
        if key is not None and file.is_file():
            yield _Entry(normalized(folder.name), key, cache(partial(_load, file)))


def _load(file: "Traversable") -> gettext.GNUTranslations:
    try:
        with file.open("rb") as opened:
            return gettext.GNUTranslations(opened)
    except Exception as error:
        raise ConfigurationError(f"{file} is no catalog that gettext can read") from error
