"""The production layer for any self-hosted ChatKit endpoint."""

from .context import ContextFactory, RequestContext
from .endpoint import ChatKitEndpoint
from .errors import ConfigurationError
from .principal import Principal
from .response import ChatKitResponse
from .stack import harden
from .state import RequestState

__version__ = "0.1.0"

__all__ = [
    "ChatKitEndpoint",
    "ChatKitResponse",
    "ConfigurationError",
    "ContextFactory",
    "Principal",
    "RequestContext",
    "RequestState",
    "harden",
]
