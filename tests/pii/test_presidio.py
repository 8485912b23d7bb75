"""What an analyzer of the app's finds is a finding like any other."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from chatkit_prod import ConfigurationError
from chatkit_prod.pii.detector import Finding, SentenceDetector
from chatkit_prod.pii.presidio import Analyzer, presidio
from chatkit_prod.pii.scrubber import Scrubber

TEXT = "I am Ada Example of Sampletown."


@dataclass
class Result:
    entity_type: str
    start: int
    end: int
    score: float


class WordList:
    """Knows a few words, and answers as an `AnalyzerEngine` does; but for what it was asked, it tells all it knows."""

    words = (("PERSON", "Ada Example", 0.85), ("LOCATION", "Sampletown", 0.4), ("URL", "I am", 1.0))

    def __init__(self) -> None:
        self.asked: list[str] = []

    def analyze(
        self, text: str, language: str, entities: list[str], *, score_threshold: float
    ) -> Sequence[Result]:
        if language != "en" or not {kind for kind, _, _ in self.words} & set(entities):
            raise ValueError("No matching recognizers were found to serve the request.")
        self.asked.append(text)
        return [
            Result(kind, found.start(), found.end(), score)
            for kind, word, score in self.words
            for found in re.finditer(word, text)
        ]


def engine() -> Any:
    """Return a real `AnalyzerEngine` that knows the same words, without a model."""
    try:
        real, spacy = import_module("presidio_analyzer"), import_module("spacy")
    except ImportError as error:
        pytest.skip(f"presidio-analyzer is not installed: {error}")
    blank = real.nlp_engine.SpacyNlpEngine()
    blank.nlp = {"en": spacy.blank("en")}
    recognizers = [
        real.PatternRecognizer(supported_entity=kind, patterns=[real.Pattern(kind, word, score)])
        for kind, word, score in WordList.words
    ]
    registry = real.RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
    return real.AnalyzerEngine(registry=registry, nlp_engine=blank, supported_languages=["en"])


@pytest.fixture(params=[WordList, engine], ids=["stand-in", "Presidio"])
def analyzer(request: pytest.FixtureRequest) -> Analyzer:
    make: Callable[[], Analyzer] = request.param
    return make()


def test_what_it_is_sure_of_is_found(analyzer: Analyzer) -> None:
    assert list(presidio(analyzer).find(TEXT)) == [Finding("PERSON", 5, 16, "presidio")]


def test_less_certainty_finds_more(analyzer: Analyzer) -> None:
    assert {found.type for found in presidio(analyzer, min_score=0.3).find(TEXT)} == {"PERSON", "LOCATION"}


def test_only_what_is_looked_for_is_found(analyzer: Analyzer) -> None:
    found = presidio(analyzer, entities=["LOCATION"], min_score=0).find(TEXT)
    assert list(found) == [Finding("LOCATION", 20, 30, "presidio")]


def test_it_is_a_detector_that_makes_a_scrubber_slow(analyzer: Analyzer) -> None:
    detector = presidio(analyzer)
    assert isinstance(detector, SentenceDetector)
    assert detector.name == "presidio"
    assert Scrubber([detector]).is_slow


def test_nobody_is_asked_about_white_space() -> None:
    analyzer = WordList()
    detector = presidio(analyzer)
    analyzer.asked.clear()
    assert list(detector.find(" \n")) == []
    assert analyzer.asked == []


def test_what_the_analyzer_cannot_recognize_is_refused_at_construction(analyzer: Analyzer) -> None:
    with pytest.raises(ConfigurationError, match="PASSPORT"):
        presidio(analyzer, entities=["PERSON", "PASSPORT"])
    with pytest.raises(ConfigurationError, match="language de"):
        presidio(analyzer, language="de")


@pytest.mark.parametrize(
    "options",
    [
        {"analyzer": "en_core_web_sm"},
        {"entities": "PERSON"},
        {"entities": []},
        {"entities": [1]},
        {"language": ""},
        {"min_score": 1.1},
        {"min_score": "0.5"},
        {"min_score": True},
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(options: dict[str, Any]) -> None:
    make: Any = presidio
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        make(**{"analyzer": WordList(), **options})
