"""Names and places, found by a Presidio analyzer that the app brings along."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import is_text, listed, named

from .detector import Finding, SentenceDetector


class Recognized(Protocol):
    """What an analyzer has found: Presidio's `RecognizerResult`."""

    entity_type: str
    start: int
    end: int
    score: float


class Analyzer(Protocol):
    """Finds entities in a text: Presidio's `AnalyzerEngine`, or anything that can be asked like it."""

    def analyze(
        self, text: str, language: str, entities: list[str], *, score_threshold: float
    ) -> Sequence[Recognized]:
        """Return what is in a text, by offsets in it.

        Raises:
            ValueError: It knows none of the entities in this language.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Presidio:
    analyzer: Analyzer
    entities: tuple[str, ...]
    language: str
    min_score: float
    name: str = "presidio"

    def find(self, sentence: str, /) -> Iterator[Finding]:
        """Yield what the analyzer is sure enough of."""
        if not sentence.strip():
            return
        for found in self._found(sentence, self.entities):
            if found.entity_type in self.entities and found.score >= self.min_score:
                yield Finding(found.entity_type, found.start, found.end, self.name)

    def require(self, entity: str) -> None:
        try:
            self._found("", (entity,))
        except ValueError as error:
            raise ConfigurationError(
                f"the analyzer has no recognizer for {entity} in the language {self.language}"
            ) from error

    def _found(self, text: str, entities: Iterable[str]) -> Sequence[Recognized]:
        return self.analyzer.analyze(
            text=text, entities=list(entities), language=self.language, score_threshold=self.min_score
        )


def presidio(
    analyzer: Analyzer,
    *,
    entities: Iterable[str] = ("PERSON", "LOCATION"),
    language: str = "en",
    min_score: float = 0.5,
) -> SentenceDetector:
    """Return a detector of what a Presidio analyzer recognizes, for a `Scrubber` beside its patterns.

    An analyzer runs a model for every sentence: a scrubber that holds one is slow, and is called in a thread. In
    a stream it sees one sentence at a time, which holds back 400 characters at most.

    Args:
        analyzer: An `AnalyzerEngine` with its model loaded; it is called from several threads at a time.
        entities: What to look for, by Presidio's names. What patterns can find, the other detectors find faster.
        language: Of the texts, as the analyzer names it.
        min_score: From 0 to 1: what the analyzer is less sure of stays in the text.

    Raises:
        ConfigurationError: An argument is wrong; the analyzer has nobody to recognize one of the entities, over which
            Presidio itself passes in silence.
    """
    if not callable(getattr(analyzer, "analyze", None)):
        raise ConfigurationError(f"analyzer must be a Presidio AnalyzerEngine, not {named(analyzer)}")
    names = listed(entities, "entities")
    if not names:
        raise ConfigurationError("entities must name one at least, such as PERSON")
    if not is_text(language):
        raise ConfigurationError(f"language must be a text, and not empty, not {named(language)}")
    if not isinstance(min_score, int | float) or isinstance(min_score, bool) or not 0 <= min_score <= 1:
        raise ConfigurationError(f"min_score must be a number from 0 to 1, not {min_score!r}")
    detector = _Presidio(analyzer, names, language, min_score)
    for name in names:
        detector.require(name)
    return detector
