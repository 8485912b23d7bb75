"""The production layer for any self-hosted ChatKit endpoint."""

from .context import ContextFactory, RequestContext
from .endpoint import ChatKitEndpoint
from .errors import ConfigurationError
from .exchange import EndpointOptions
from .principal import Principal
from .response import ChatKitResponse
from .shutdown import close_streams
from .stack import harden
from .state import RequestState

__version__ = "0.1.0"

__all__ = [
    "ChatKitEndpoint",
    "ChatKitResponse",
    "ConfigurationError",
    "ContextFactory",
    "EndpointOptions",
    "Principal",
    "RequestContext",
    "RequestState",
    "close_streams",
    "harden",
]
