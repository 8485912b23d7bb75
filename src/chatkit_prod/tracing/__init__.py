"""What happened: one trace, one request id and one access record for every request."""

from .middleware import TracingMiddleware

__all__ = ["TracingMiddleware"]
