"""The module for the page, as files that the endpoint serves and a bundler may copy."""

from .files import BrowserFiles

__all__ = ["BrowserFiles"]
