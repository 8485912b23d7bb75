"""The catalogs of the example are complete, and compiled."""

import io
import re
import shlex
import string
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from chatkit_prod.locale import Translations

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/support_desk"
LOCALES = EXAMPLE / "locales"

each_locale = pytest.mark.parametrize("locale", ["fr", "de"])


def catalog_of(locale: str) -> Catalog:
    return read_po(io.BytesIO(path_of(locale, "po").read_bytes()), abort_invalid=True)


def path_of(locale: str, suffix: str) -> Path:
    return LOCALES / locale / "LC_MESSAGES" / f"messages.{suffix}"


def forms(texts: str | list[str] | tuple[str, ...] | None) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts or [""])


def translated(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def strings(catalog: Catalog) -> dict[str, list[str]]:
    return {forms(message.id)[0]: forms(message.string) for message in translated(catalog)}


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def pybabel(name: str, template: Path, *more: str) -> None:
    """Run a command of Babel's as the README has it, with a template of the test's own."""
    lines = (EXAMPLE / "README.md").read_text("utf-8").replace("\\\n", " ").splitlines()
    (line,) = (line for line in lines if line.startswith(f"$ .venv/bin/pybabel {name} "))
    arguments = [str(template) if part == "messages.pot" else part for part in shlex.split(line)[2:]]
    command = [sys.executable, "-m", "babel.messages.frontend", *arguments, *more]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@each_locale
def test_a_catalog_of_the_example_is_compiled(locale: str) -> None:
    compiled = path_of(locale, "mo")
    hint = f"{compiled} is {{}}: run `pybabel compile -d examples/support_desk/locales`, as `make test` does"
    assert compiled.is_file(), hint.format("missing")
    with compiled.open("rb") as file:
        assert strings(read_mo(file)) == strings(catalog_of(locale)), hint.format("older than its .po")


@each_locale
def test_every_text_of_a_catalog_is_translated_and_keeps_its_placeholders(locale: str) -> None:
    messages = translated(catalog_of(locale))
    assert messages
    for message in messages:
        assert not message.fuzzy, message.id
        names = {frozenset(names_in(text)) for text in forms(message.id)}
        assert {frozenset(names_in(text)) for text in forms(message.string)} == names, message.id
        assert all(forms(message.string)), message.id


def test_the_commands_of_the_readme_find_every_text_and_no_catalog_lacks_one(tmp_path: Path) -> None:
    template = tmp_path / "messages.pot"
    pybabel("extract", template)
    calls = re.findall(
        r"\b(?:translate|ntranslate|localized_error)\(", (EXAMPLE / "tools.py").read_text("utf-8")
    )
    assert len(translated(read_po(io.BytesIO(template.read_bytes())))) == len(calls)
    pybabel("update", template, "--check")  # it fails if it would change one


def test_the_commands_of_the_readme_make_a_catalog_of_a_new_language(tmp_path: Path) -> None:
    template = tmp_path / "messages.pot"
    pybabel("extract", template)
    pybabel("init", template, "-d", str(tmp_path))
    pybabel("compile", template, "-d", str(tmp_path))
    assert not Translations(tmp_path).lacks("it")
