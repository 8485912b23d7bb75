"""Who is asking: every request is authenticated before anything of it is read."""

from .apikey import APIKey, GeneratedKey, KeyLookup, StoredKey
from .authenticator import Authenticator
from .domain_keys import DomainKeys
from .first_of import FirstOf
from .jwks import RemoteJWKS
from .jwt import JWTBearer
from .middleware import AuthMiddleware
from .opaque import OpaqueBearer
from .origin import OriginMiddleware
from .session import SessionCookie, SessionStore

__all__ = [
    "APIKey",
    "AuthMiddleware",
    "Authenticator",
    "DomainKeys",
    "FirstOf",
    "GeneratedKey",
    "JWTBearer",
    "KeyLookup",
    "OpaqueBearer",
    "OriginMiddleware",
    "RemoteJWKS",
    "SessionCookie",
    "SessionStore",
    "StoredKey",
]
