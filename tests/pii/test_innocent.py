"""What is not personal comes out untouched."""

import pytest

from chatkit_prod.pii import Scrubber
from chatkit_prod.pii.detectors import DETECTORS
from chatkit_prod.pii.engine import EngineName
from tests.pii.innocent import EACH, corpora

CORPORA = dict(corpora())
ENGINES: tuple[EngineName, ...] = ("re", "auto")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", CORPORA)
def test_nothing_is_found_in_a_thousand_of_each_kind(kind: str, engine: EngineName) -> None:
    texts = CORPORA[kind]
    assert len(texts) == EACH
    scrubber = Scrubber(engine=engine)
    assert not {text: found for text in texts if (found := scrubber.scrub(text).findings)}


def test_the_same_texts_are_made_every_time() -> None:
    assert dict(corpora()) == CORPORA


def test_detectors_have_names_of_their_own() -> None:
    assert len({detector.name for detector in DETECTORS}) == len(DETECTORS)
