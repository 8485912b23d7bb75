"""Which language the user speaks: from the header to the context."""

from .middleware import LocaleMiddleware
from .negotiate import Negotiator

__all__ = ["LocaleMiddleware", "Negotiator"]
