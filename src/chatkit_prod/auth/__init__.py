"""Who is asking: every request is authenticated before anything of it is read."""

from .authenticator import Authenticator
from .jwt import JWTBearer
from .middleware import AuthMiddleware

__all__ = ["AuthMiddleware", "Authenticator", "JWTBearer"]
