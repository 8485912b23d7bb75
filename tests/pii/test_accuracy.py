"""What is found is at least what the best of the others finds, on texts that somebody else has labelled."""

import pytest

from chatkit_prod.pii.detectors import contact
from tests.pii.accuracy import Labelled, Score, generated, provided, read, report, scores

# The F1 of Presidio's pattern recognizers, each at its best
PRESIDIO = {"EMAIL": 1.0, "PHONE": 0.77, "CREDIT_CARD": 1.0, "IBAN": 1.0, "IP": 1.0}
OURS = {**PRESIDIO, "PHONE": 0.92}


@pytest.fixture(
    params=[contact.lengths_by_library, contact.lengths_by_rule], ids=["with the library", "without"]
)
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact, "lengths", request.param)


@pytest.mark.usefixtures("_both")
def test_every_type_of_the_labelled_file_is_found_at_least_as_well() -> None:
    path = provided()
    if path is None:
        pytest.skip("CHATKIT_PROD_DATA names no folder with labelled texts")
    found = scores(read(path))
    assert {
        type_: score.f1 for type_, score in found.items() if type_ in OURS and score.f1 < OURS[type_]
    } == {}
    assert found.keys() >= OURS.keys()


@pytest.mark.usefixtures("_both")
def test_every_type_of_our_own_corpus_is_found() -> None:
    found = scores(generated())
    assert {type_: score for type_, score in found.items() if score.f1 < 0.99} == {}
    assert found.keys() >= OURS.keys()


def test_a_quarter_of_our_own_corpus_only_looks_like_it() -> None:
    samples = generated()
    assert sum(not spans for _, spans in samples) * 4 >= len(samples)


def test_only_the_exact_place_is_right() -> None:
    text = "mail ada@example.com"
    here, near = ("EMAIL", 5, 20), ("EMAIL", 4, 20)
    assert scores([Labelled(text, frozenset([here]))]) == {"EMAIL": Score(1, 0, 0)}
    assert scores([Labelled(text, frozenset([near]))]) == {"EMAIL": Score(0, 1, 1)}
    assert scores([Labelled("nothing", frozenset([near]))])["EMAIL"].recall == 0
    assert report([Labelled(text, frozenset([here]))]).split() == [
        "EMAIL",
        "1.000",
        "1.000",
        "1.000",
        "1/0/0",
    ]


def test_a_type_that_never_occurs_has_no_faults() -> None:
    nothing = Score(0, 0, 0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (1, 1, 1)
