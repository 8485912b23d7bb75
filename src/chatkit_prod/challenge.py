"""What a 401 or 403 asks for in `WWW-Authenticate`: RFC 9110 §11.3 and §11.6.1."""


def with_params(challenge: str, **params: str) -> str:
    """Return a challenge with more parameters, quoted (RFC 9110 §5.6.4).

    Args:
        challenge: That of one scheme, perhaps with parameters; an app may have made it.
        params: Name to value; what cannot stand in a header becomes `?`.
    """
    quoted = ", ".join(f'{name}="{_escaped(value)}"' for name, value in params.items())
    return f"{visible(challenge)}{', ' if ' ' in challenge else ' '}{quoted}"


def visible(value: str) -> str:
    """Return what may stand in a header, whatever an app has given us (RFC 9110 §5.5)."""
    return "".join(character if " " <= character <= "~" else "?" for character in value)


def _escaped(value: str) -> str:
    return visible(value).replace("\\", "\\\\").replace('"', '\\"')
