"""Folders of catalogs, as Babel makes them."""

from collections.abc import Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

Texts = Mapping[str | tuple[str, str], str | tuple[str, ...]]
"""A text, or its form for one and its form for other numbers, and what it is in another language."""

ENGLISH_RULE = "nplurals=2; plural=(n != 1);"


def compiled(
    directory: Path,
    locale: str,
    texts: Texts,
    *,
    domain: str = "messages",
    plural_forms: str = ENGLISH_RULE,
    meanings: Mapping[tuple[str, str], str] | None = None,
) -> Path:
    """Write a catalog, and return its file.

    Args:
        directory: The folder of the locales.
        locale: The name of its folder, spelt in any way.
        texts: What is in it.
        domain: Its name.
        plural_forms: Its header of that name.
        meanings: Texts of several meanings: a meaning and a text, and what that is.
    """
    catalog = Catalog(locale="en", charset="utf-8")
    catalog.mime_headers = [("Plural-Forms", plural_forms)]
    for text, translated in texts.items():
        catalog.add(text, translated)
    for (meaning, text), translated in (meanings or {}).items():
        catalog.add(text, translated, context=meaning)
    file = directory / locale / "LC_MESSAGES" / f"{domain}.mo"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        write_mo(opened, catalog)
    return file
