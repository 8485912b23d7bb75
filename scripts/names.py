"""Writes `src/chatkit_prod/locale/names.json`: what languages, scripts and regions are called in English, by CLDR.

.venv/bin/python -m scripts.names
"""

import json
from pathlib import Path

from babel import Locale
from langcodes.data_dicts import LIKELY_SUBTAGS

TARGET = Path(__file__).parents[1] / "src/chatkit_prod/locale/names.json"

HAN = {"Hans": "Simplified", "Hant": "Traditional"}  # which CLDR says in this way only beside a language


def main() -> None:
    """Write the table."""
    english = Locale("en")

    def named(table: str) -> dict[str, str]:
        return dict(getattr(english, table))  # Babel's annotations do not say what is in them

    likely = [tag.split("-") for tag in LIKELY_SUBTAGS.values()]
    languages = {code: name for code, name in named("languages").items() if code.isalpha() and code != "und"}
    scripts = {code: name for code, name in named("scripts").items() if any(code in tag for tag in likely)}
    tables = {
        "languages": languages,
        "scripts": scripts | HAN,
        "regions": {code: name for code, name in named("territories").items() if code != "ZZ"},
    }
    TARGET.write_text(json.dumps(tables, ensure_ascii=False, indent=0, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
