"""What holds for the documentation; its blocks of Python run by themselves, see the conftest at the root."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

Nav: TypeAlias = "str | list[Nav] | dict[str, Nav]"


def leaves(nav: Nav) -> Iterator[str]:
    """Yield the pages of a navigation, in order."""
    match nav:
        case str():
            yield nav
        case list():
            for entry in nav:
                yield from leaves(entry)
        case dict():
            for entry in nav.values():
                yield from leaves(entry)


def test_the_navigation_names_every_page_once_and_no_other() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text())
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(leaves(config["project"]["nav"])) == sorted(pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_image_to_a_file_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"]\((?!\w+:|#)([^)#\s]+)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_block_of_python_that_does_not_run_says_why(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"<!--+\s*skip: (?:next|start)\s*-->", text), "a skip needs a reason in quotes"
    assert not re.search(r"^```(?:py|python3|pycon)\b", text, re.MULTILINE), "only blocks marked `python` run"
