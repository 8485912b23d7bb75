"""How long other people's scrubbers take; runs in an environment of its own, without this project.

Reads lines of JSON, each a list of texts, and answers each with the seconds of CPU time by name, and with how much
was found. Presidio is asked for its pattern recognizers alone, without a language model; DataFog for its
regular expressions. Neither sends anything anywhere.
"""

import gc
import importlib
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

Find = Callable[[str], int]
"""Returns how much is found in a text."""


def presidio() -> Find:
    """Return Presidio's recognizers of what has a pattern."""
    # Its check of e-mail addresses would fetch the list of public suffixes; a copy comes with the package.
    suffixes: Any = importlib.import_module("tldextract.tldextract")
    suffixes.TLD_EXTRACTOR = suffixes.TLDExtract(cache_dir=None, suffix_list_urls=())
    module: Any = importlib.import_module("presidio_analyzer.predefined_recognizers")
    recognizers = [
        module.EmailRecognizer(),
        module.PhoneRecognizer(),
        module.CreditCardRecognizer(),
        module.IbanRecognizer(),
        module.UsSsnRecognizer(),
        module.IpRecognizer(),
    ]

    def find(text: str) -> int:
        return sum(len(found.analyze(text, found.supported_entities)) for found in recognizers)

    return find


def datafog() -> Find:
    """Return DataFog's engine of regular expressions."""
    module: Any = importlib.import_module("datafog.processing.text_processing.regex_annotator")
    annotator = module.RegexAnnotator()

    def find(text: str) -> int:
        return sum(map(len, annotator.annotate(text).values()))

    return find


def timed(find: Find, texts: list[str]) -> tuple[float, int]:
    """Return the seconds of CPU time that some texts take, and how much is found in them."""
    gc.collect()
    started = time.process_time()
    found = sum(map(find, texts))
    return time.process_time() - started, found


def main() -> None:
    """Answer until there is no more line."""
    peers = {
        f"Presidio {version('presidio-analyzer')}": presidio(),
        f"DataFog {version('datafog')}": datafog(),
    }
    for line in sys.stdin:
        texts = json.loads(line)
        print(json.dumps({name: timed(find, texts) for name, find in peers.items()}), flush=True)


if __name__ == "__main__":
    main()
