"""Brings the catalogs in `src/chatkit_prod/locale/messages` up to date with `chatkit_prod.texts`.

    make messages

New texts are left empty, for a translator; texts that are gone are taken out. The plural rule of each language is
that of CLDR: Babel's own table for gettext lacks some languages, and takes English's for them.
"""

import io
import re
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from babel.plural import to_gettext

from chatkit_prod import texts
from chatkit_prod.texts import Plural

ROOT = Path(__file__).parents[1]
MESSAGES = ROOT / "src/chatkit_prod/locale/messages"

HEADER = r"""msgid ""
msgstr ""
"Language: {name}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: {plural_forms}\n"

"""


def plural_forms(name: str) -> str:
    """Return the plural rule of a language for gettext, whose rules know whole numbers only.

    Args:
        name: Of a folder, such as `pt_BR`.
    """
    rule = to_gettext(Locale.parse(name).plural_form)
    return re.sub(r"\be\b", "0", rule)  # CLDR's exponent, for numbers such as 1c6; gettext has n alone


def template() -> Catalog:
    """Return all texts, without a translation."""
    found = Catalog()
    for name, text in texts.ALL.items():
        found.add(tuple(text) if isinstance(text, Plural) else text, auto_comments=[name])
    return found


def updated(path: Path) -> str:
    """Return a catalog with all texts, and no other."""
    name = path.parents[1].name
    old = read_po(io.BytesIO(path.read_bytes()))
    catalog = Catalog()
    catalog.mime_headers = [("Plural-Forms", plural_forms(name))]
    for message in template():
        if message.id:
            known = old.get(message.id[0] if isinstance(message.id, tuple) else message.id)
            catalog.add(
                message.id,
                known.string if known else "",
                flags=known.flags & {"fuzzy"} if known else (),
                auto_comments=message.auto_comments,
                user_comments=known.user_comments if known else (),
            )
    body = io.BytesIO()
    write_po(body, catalog, width=0, omit_header=True)
    return HEADER.format(name=name, plural_forms=plural_forms(name)) + body.getvalue().decode()


def main() -> None:
    """Rewrite every catalog."""
    for path in sorted(MESSAGES.glob("*/LC_MESSAGES/chatkit_prod.po")):
        path.write_text(updated(path), "utf-8")


if __name__ == "__main__":
    main()
