"""Which language the user speaks: from the header to the prompt."""

from .language import language_instruction, language_name, text_direction
from .lazy import LazyText, lazy_gettext, lazy_ngettext, lazy_pgettext
from .middleware import LocaleMiddleware
from .negotiate import Negotiator
from .translate import localized_error, ntranslate, ptranslate, translate
from .translations import Translations

__all__ = [
    "LazyText",
    "LocaleMiddleware",
    "Negotiator",
    "Translations",
    "language_instruction",
    "language_name",
    "lazy_gettext",
    "lazy_ngettext",
    "lazy_pgettext",
    "localized_error",
    "ntranslate",
    "ptranslate",
    "text_direction",
    "translate",
]
