"""The app's texts, and ours, in the user's language.

the app's catalogs of the locale → those of its language → ours → the text as it is in the code
"""

import gettext
import logging
import os
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named

from .catalogs import Catalogs, chain
from .tags import parse_locale

logger = logging.getLogger("chatkit_prod")

_AS_LETTERS = str.maketrans("-.", "__")


@cache
def _ours() -> Catalogs:
    """Return the texts of `chatkit_prod.texts`, in the languages of ChatKit's client."""
    return Catalogs(files("chatkit_prod.locale") / "messages", "chatkit_prod")


class Translations:
    """The gettext catalogs of an app, in the layout that Babel makes: `<locale>/LC_MESSAGES/<domain>.mo`.

    Each is loaded once, when it is asked for first: at start-up, where a layer has it. A catalog that translates
    one of `chatkit_prod.texts` overrides ours.

    Args:
        directory: The folder of the locales, which are called as `fr`, `fr_FR` or `zh_Hant`.
        domain: The name of the catalogs: letters, digits, and `-._`.
        source: The language of the texts in the code, which needs no catalog.

    Raises:
        ConfigurationError: There is no such catalog; `directory` is no path, `domain` no name, or `source` no tag.
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, domain: str = "messages", source: str = "en"
    ) -> None:
        if not isinstance(directory, str | os.PathLike):
            raise ConfigurationError(f"directory must be the path of a folder, not {named(directory)}")
        if not isinstance(domain, str) or not _is_name(domain):
            raise ConfigurationError(f"domain must be the name of a catalog, not {domain!r}")
        tag = parse_locale(source) if isinstance(source, str) else None
        if tag is None:
            raise ConfigurationError(f"source must be a BCP 47 tag, not {source!r}")
        self._source_language = tag.language
        self._catalogs = Catalogs(Path(directory), domain)
        if not len(self._catalogs):
            raise ConfigurationError(
                f"there is no <locale>/LC_MESSAGES/{domain}.mo in {Path(directory).resolve()}: compile the catalogs first"
            )

    def catalog(self, locale: str) -> gettext.NullTranslations:
        """Return the texts of a locale: the app's, those of its language, and ours where these have none.

        Args:
            locale: A tag, such as one of the app's own. It is only compared with what was found.

        Raises:
            ConfigurationError: A catalog cannot be read.
        """
        return chain((*self._catalogs.near(locale), *_ours().near(locale)))

    def lacks(self, locale: str) -> bool:
        """Tell whether there is no catalog for a locale, and there should be one."""
        tag = parse_locale(locale)
        return (tag is None or tag.language != self._source_language) and not self._catalogs.near(locale)


def catalogs_for(
    supported: Iterable[str], translations: Translations | None
) -> dict[str, gettext.NullTranslations]:
    """Return the texts of every locale of an app; what is missing is said in the log.

    Raises:
        ConfigurationError: `translations` is none, or a catalog cannot be read.
    """
    if translations is None:
        return {locale: chain(_ours().near(locale)) for locale in supported}
    if not isinstance(translations, Translations):
        raise ConfigurationError(f"translations must be Translations(directory), not {named(translations)}")
    missing = [locale for locale in supported if translations.lacks(locale)]
    if missing:
        logger.warning(
            "there is no catalog for %s: the texts stay as they are in the code", ", ".join(missing)
        )
    return {locale: translations.catalog(locale) for locale in supported}


def _is_name(domain: str) -> bool:
    return domain.strip("._-") != "" and f"_{domain.translate(_AS_LETTERS)}".isidentifier()
