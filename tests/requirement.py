"""The shape of one promise."""

from dataclasses import dataclass
from typing import Literal, get_args

Concern = Literal[
    "access", "auth", "encryption", "launch", "locale", "pii", "prompts", "retention", "tracing"
]

CONCERNS: tuple[str, ...] = get_args(Concern)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One promise.

    Args:
        id: A word for people to point at.
        source: Who asks for it, and where.
        behaviour: What holds, in one sentence.
        met_by: The tests that show it, as `path::name`.
        open: The concern that will meet it.
    """

    id: str
    source: str
    behaviour: str
    met_by: tuple[str, ...] = ()
    open: Concern | None = None
