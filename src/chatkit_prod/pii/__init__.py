"""Personal data and secrets are found, and stay out of requests, answers, stores, logs and telemetry."""

from .detector import Detector, Finding, SentenceDetector
from .detectors import DETECTORS
from .keys import Keys
from .logs import RedactingFilter
from .middleware import PIIMiddleware
from .presidio import presidio
from .scrubber import Scrubbed, Scrubber, StreamScrubber
from .store import ScrubbingStore
from .telemetry import ScrubbingLogRecordProcessor, ScrubbingSpanProcessor

__all__ = [
    "DETECTORS",
    "Detector",
    "Finding",
    "Keys",
    "PIIMiddleware",
    "RedactingFilter",
    "Scrubbed",
    "Scrubber",
    "ScrubbingLogRecordProcessor",
    "ScrubbingSpanProcessor",
    "ScrubbingStore",
    "SentenceDetector",
    "StreamScrubber",
    "presidio",
]
