"""The RateLimit fields (draft-ietf-httpapi-ratelimit-headers-10): what a caller may use, and what is left of it."""

from collections.abc import Iterable

from chatkit_prod.asgi import RawHeaders

from .standing import Standing

_UNITS = {"tokens": ';qu="tokens"'}
"""The quota unit of a rule; without one it is requests (§ 2.2.2 of the draft)."""


def rate_limit_fields(standings: Iterable[Standing]) -> RawHeaders:
    """Return `RateLimit-Policy` and `RateLimit`, or nothing about nothing.

    Args:
        standings: Of windows of the caller's own: what a tenant has left says what others do.
    """
    policies, remains = list[str](), list[str]()
    for standing in standings:
        window = standing.window
        unit = _UNITS.get(window.rule, "")
        policies.append(f'"{window.name}";q={window.amount}{unit};w={window.seconds}')
        remains.append(f'"{window.name}";r={standing.remaining};t={standing.ends}')
    if not policies:
        return []
    return [
        (b"ratelimit-policy", ", ".join(policies).encode()),
        (b"ratelimit", ", ".join(remains).encode()),
    ]
