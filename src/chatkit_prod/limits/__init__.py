"""Nobody asks, streams or spends more than their share."""

from .agents import TokenHooks
from .middleware import LimitsMiddleware
from .rules import Rules

__all__ = ["LimitsMiddleware", "Rules", "TokenHooks"]
