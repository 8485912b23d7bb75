"""Personal data stays out of what operators read."""

from .logs import RedactingFilter

__all__ = ["RedactingFilter"]
