"""The list of requirements is honest."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.requirement import CONCERNS, Requirement
from tests.requirements import HEADINGS, REQUIREMENTS

ROOT = Path(__file__).parent.parent

MET = [entry for entry in REQUIREMENTS if entry.open is None]
NAMED = sorted({test for entry in REQUIREMENTS for test in entry.met_by})


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file, those of a class as `Class::name`; skipped ones are none."""
    found = set[str]()

    def visit(body: list[ast.stmt], prefix: str = "") -> None:
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test_"):
                    if not re.search(r"\b(?:skip|xfail)", " ".join(map(ast.unparse, node.decorator_list))):
                        found.add(prefix + node.name)
                case ast.ClassDef() if node.name.startswith("Test"):
                    visit(node.body, f"{node.name}::")
                case _:
                    pass

    if (ROOT / path).is_file():
        visit(ast.parse((ROOT / path).read_text()).body)
    return frozenset(found)


def test_no_two_requirements_share_an_id() -> None:
    assert [found for found, count in Counter(entry.id for entry in REQUIREMENTS).items() if count > 1] == []


@pytest.mark.parametrize("entry", REQUIREMENTS, ids=lambda entry: entry.id)
def test_a_requirement_is_either_met_or_open(entry: Requirement) -> None:
    assert bool(entry.met_by) != (entry.open is not None)
    assert entry.open is None or entry.open in CONCERNS
    assert len(set(entry.met_by)) == len(entry.met_by)


@pytest.mark.parametrize("entry", REQUIREMENTS, ids=lambda entry: entry.id)
def test_a_requirement_names_its_source_and_says_one_thing(entry: Requirement) -> None:
    assert re.fullmatch(r"[A-Z0-9]+(?:-[A-Z0-9]+)*", entry.id)
    assert re.fullmatch(
        r"guide, .+, line \d+|RFC \d+ §[\d.]+|(?:HTML|W3C|OpenTelemetry|ASGI)\b.*", entry.source
    )
    assert re.fullmatch(r"[A-Z][^.]*\.", entry.behaviour), "one sentence"


@pytest.mark.parametrize("test", NAMED)
def test_every_test_that_is_named_exists(test: str) -> None:
    path, _, name = test.partition("::")
    assert name in names_in(path)


def test_every_heading_of_the_guide_has_a_requirement() -> None:
    headings = {entry.source.split(", line ")[0].removeprefix("guide, ") for entry in REQUIREMENTS}
    assert set(HEADINGS.values()) <= headings


def test_the_requirements_of_the_guide_stand_in_its_order() -> None:
    lines = [
        int(entry.source.rpartition(" ")[2]) for entry in REQUIREMENTS if entry.source.startswith("guide")
    ]
    assert lines == sorted(lines)


def test_something_is_met() -> None:
    assert len(MET) > len(REQUIREMENTS) / 3


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tests/test_requirements.py", "test_no_such_test"),
        ("tests/test_absent.py", "test_something_is_met"),
        ("tests/requirements.py", "guide"),
    ],
)
def test_a_test_that_does_not_exist_is_noticed(path: str, name: str) -> None:
    assert name not in names_in(path)
