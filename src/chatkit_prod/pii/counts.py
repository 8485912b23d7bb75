"""How much personal data was taken out, by type: never whose, and never what."""

import logging
from collections import Counter
from contextlib import suppress
from typing import Final, Literal

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from chatkit_prod.errors import stack_of

FINDINGS: Final = "chatkit.pii.findings"
TYPE: Final = "chatkit.pii.type"
SURFACE: Final = "chatkit.pii.surface"

Surface = Literal["request", "answer", "stream"]

logger = logging.getLogger("chatkit_prod")


class Counts:
    """Counts what was found. ChatKit sends many a text twice, in parts and as a whole: both count.

    Args:
        provider: Where the metric goes; the global provider if None.
    """

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = metrics.get_meter("chatkit_prod", meter_provider=provider)
        self._findings = meter.create_counter(
            FINDINGS, unit="{finding}", description="Personal data that was found and taken out."
        )

    def add(self, found: Counter[str], surface: Surface) -> None:
        """Count findings; a meter that fails does not fail the request.

        Args:
            found: How many there are, by type.
            surface: Where they were.
        """
        try:
            for kind, count in found.items():
                self._findings.add(count, {TYPE: kind, SURFACE: surface})
        except Exception as error:  # noqa: BLE001 - a meter may raise anything
            with suppress(Exception):
                logger.error("telemetry failed\n%s", stack_of(error))
