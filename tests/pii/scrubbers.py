"""Scrubbers of little knowledge, for the tests of what is around them."""

from typing import NoReturn

from chatkit_prod.pii.detector import Detector
from chatkit_prod.pii.scrubber import Scrubber

EMAIL = "alice@example.com"
CARD = "4111 1111 1111 1111".replace(" ", "")

DETECTORS = (
    Detector(
        name="address",
        type="EMAIL",
        pattern=r"[a-z0-9.]{1,32}@[a-z0-9]{1,32}(?:\.[a-z]{2,8}){1,3}",
        trigger="@",
        lead=32,
    ),
    Detector(name="card", type="CREDIT_CARD", pattern="4[0-9]{15}", trigger="4"),
)


def labelling() -> Scrubber:
    """Return a scrubber that writes what kind of thing it has found."""
    return Scrubber(DETECTORS, action="label")


class Broken:
    """A scrubber that fails."""

    def scrub(self, text: str, /) -> NoReturn:
        raise RuntimeError(text)
