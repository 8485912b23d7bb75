"""Records for people and for programs: a line of `name=value`, and the same as an attribute."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from .principal import Principal

audit_logger = logging.getLogger("chatkit_prod.audit")
"""Gets one record for every decision about who may come in, and for every refusal of what they ask for."""


def write(logger: logging.Logger, fields: Mapping[str, Any]) -> None:
    """Write a record at level INFO.

    Args:
        logger: Where to.
        fields: What it says, as its attribute `chatkit`; what is None is left out of its text. Never a
            credential or content.
    """
    text = " ".join(
        f"{name}={json.dumps(value, default=str)}" for name, value in fields.items() if value is not None
    )
    logger.info("%s", text, extra={"chatkit": fields})


def who(principal: Principal | None) -> dict[str, str | None]:
    """Return the fields that tell who asks; each is None if nobody was authenticated."""
    return {
        "issuer": principal.issuer if principal else None,
        "user_id": principal.subject if principal else None,
        "tenant": principal.tenant if principal else None,
        "method": principal.method if principal else None,
    }
