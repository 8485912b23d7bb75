"""How well detectors do on labelled texts: python -m tests.pii.accuracy [FILE]."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from chatkit_prod.pii.detector import Finding
from chatkit_prod.pii.detectors.contact import CONTACT
from chatkit_prod.pii.detectors.money import MONEY
from chatkit_prod.pii.detectors.network import NETWORK
from chatkit_prod.pii.scrubber import Scrubber
from tests.pii.corpus import corpus

TYPES = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CREDIT_CARD",
    "IBAN_CODE": "IBAN",
    "US_SSN": "US_SSN",
    "IP_ADDRESS": "IP",
}
"""What presidio-research calls our types."""

# What is at the same place is the first of these.
_SCRUBBER = Scrubber((*NETWORK, *MONEY, *CONTACT))

Span = tuple[str, int, int]


class Labelled(NamedTuple):
    """A text, and what is in it: (type, start, end)."""

    text: str
    spans: frozenset[Span]


class Score(NamedTuple):
    """How often a type was found rightly, wrongly, and not at all; only the exact place is right."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        both = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / both if both else 1.0


def read(path: Path) -> list[Labelled]:
    """Return the texts of a file as presidio-research writes it."""
    return [
        Labelled(
            sample["full_text"],
            frozenset(
                (TYPES[span["entity_type"]], span["start_position"], span["end_position"])
                for span in sample["spans"]
                if span["entity_type"] in TYPES
            ),
        )
        for sample in json.loads(path.read_text(encoding="utf-8"))
    ]


def provided() -> Path | None:
    """Return the labelled file of the folder that the environment names."""
    folder = os.environ.get("CHATKIT_PROD_DATA")
    return Path(folder, "pii", "generated_large.json") if folder else None


def generated() -> list[Labelled]:
    """Return texts of our own."""
    return [Labelled(text, frozenset(spans)) for text, spans in corpus()]


def found(text: str) -> tuple[Finding, ...]:
    """Return what the detectors find."""
    return _SCRUBBER.scrub(text).findings


def scores(samples: Iterable[Labelled], find: Callable[[str], Iterable[Finding]] = found) -> dict[str, Score]:
    """Return the score of each type that was to be found, or was."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for text, spans in samples:
        places = {(finding.type, finding.start, finding.end) for finding in find(text)}
        right.update(type_ for type_, _, _ in places & spans)
        wrong.update(type_ for type_, _, _ in places - spans)
        missed.update(type_ for type_, _, _ in spans - places)
    return {
        type_: Score(right[type_], wrong[type_], missed[type_]) for type_ in sorted({*right, *wrong, *missed})
    }


def report(samples: Iterable[Labelled]) -> str:
    """Return a table: type, precision, recall, F1, number of each."""
    return "\n".join(
        f"{type_:<16} {score.precision:.3f} {score.recall:.3f} {score.f1:.3f}  {score.right}/{score.wrong}/{score.missed}"
        for type_, score in scores(samples).items()
    )


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else provided()
    print(report(read(given) if given else generated()))  # noqa: T201 - that is what it is for
