"""What is not personal comes out untouched."""

import re

import pytest

from chatkit_prod.pii.detector import Detector
from chatkit_prod.pii.detectors import DETECTORS
from chatkit_prod.pii.fold import fold
from tests.pii.innocent import EACH, corpora
from tests.pii.oracle import findings

CORPORA = dict(corpora())
ANYWHERE = [(detector, re.compile(f"(?:{detector.pattern})")) for detector in DETECTORS]


def candidates(text: str) -> list[Detector]:
    """Return the detectors whose pattern alone matches anywhere: the others cannot find anything."""
    folded = fold(text).text
    return [detector for detector, pattern in ANYWHERE if pattern.search(folded)]


@pytest.mark.parametrize("kind", CORPORA)
def test_nothing_is_found_in_a_thousand_of_each_kind(kind: str) -> None:
    texts = CORPORA[kind]
    assert len(texts) == EACH
    found = {text: findings(text, detectors) for text in texts if (detectors := candidates(text))}
    assert not {text: it for text, it in found.items() if it}


def test_the_same_texts_are_made_every_time() -> None:
    assert dict(corpora()) == CORPORA


def test_detectors_have_names_of_their_own() -> None:
    assert len({detector.name for detector in DETECTORS}) == len(DETECTORS)
