"""Who is asking: every request is authenticated before anything of it is read."""

from .apikey import APIKey, GeneratedKey, KeyLookup, StoredKey
from .authenticator import Authenticator
from .backend import BackendAuthenticator
from .domain_keys import DomainKeys
from .first_of import FirstOf
from .jwks import RemoteJWKS
from .jwt import JWTBearer
from .lifecycle import Lifecycle
from .middleware import AuthMiddleware
from .opaque import OpaqueBearer
from .origin import OriginMiddleware
from .session import SessionCookie, SessionStore

__all__ = [
    "APIKey",
    "AuthMiddleware",
    "Authenticator",
    "BackendAuthenticator",
    "DomainKeys",
    "FirstOf",
    "GeneratedKey",
    "JWTBearer",
    "KeyLookup",
    "Lifecycle",
    "OpaqueBearer",
    "OriginMiddleware",
    "RemoteJWKS",
    "SessionCookie",
    "SessionStore",
    "StoredKey",
]
