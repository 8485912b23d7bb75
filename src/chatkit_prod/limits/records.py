"""How often which rule has refused a request: never whom."""

import logging
from contextlib import suppress
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from chatkit_prod.errors import RateLimitedError, stack_of
from chatkit_prod.records import audit_logger, write
from chatkit_prod.state import RequestState

REFUSED: Final = "chatkit.limits.refused"
RULE: Final = "chatkit.limits.rule"

logger = logging.getLogger("chatkit_prod")


class Refusals:
    """Counts refusals by rule, and leaves an audit record of each.

    Args:
        provider: Where the metric goes; the global provider if None.
    """

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = metrics.get_meter("chatkit_prod", meter_provider=provider)
        self._refused = meter.create_counter(
            REFUSED, unit="{request}", description="Requests that a limit has refused."
        )

    def add(self, refusal: RateLimitedError, state: RequestState) -> None:
        """Count a refusal; a meter that fails does not fail the request.

        Args:
            refusal: Knows the rule.
            state: Knows the request id, by which the audit record meets the access record.
        """
        try:
            self._refused.add(1, {RULE: refusal.rule})
        except Exception as error:  # noqa: BLE001 - a meter may raise anything
            with suppress(Exception):
                logger.error("telemetry failed\n%s", stack_of(error))
        if audit_logger.isEnabledFor(logging.INFO):
            fields = {
                "decision": "refused",
                "status": refusal.status,
                "code": refusal.code,
                "reason": refusal.reason,
                "request_id": state.request_id,
            }
            write(audit_logger, fields)
