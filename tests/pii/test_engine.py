"""Which engine searches a text."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from chatkit_prod import ConfigurationError
from chatkit_prod.pii import engine
from chatkit_prod.pii.engine import engine_of


@pytest.fixture
def without_re2(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return the module as it is where RE2 is not installed."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "re2", None)
        patch.delitem(sys.modules, engine.__name__)
        yield importlib.import_module(engine.__name__)
    setattr(sys.modules["chatkit_prod.pii"], "engine", engine)  # noqa: B010 - an import has set it


def test_the_standard_library_needs_none() -> None:
    assert engine_of("re") is None


@pytest.mark.parametrize("name", ["", "hyperscan", None])
def test_no_other_engine_is_known(name: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^engine must be "):
        engine_of(name)


def test_without_re2_the_standard_library_searches(without_re2: ModuleType) -> None:
    assert without_re2.engine_of("auto") is None


def test_without_re2_it_cannot_be_asked_for(without_re2: ModuleType) -> None:
    with pytest.raises(ConfigurationError, match="needs google-re2"):
        without_re2.engine_of("re2")


@pytest.mark.parametrize("name", ["auto", "re2"])
def test_re2_tells_where_the_first_match_begins_from_a_place_on(name: Any) -> None:
    pytest.importorskip("re2", reason="one engine of two")
    compiled = engine_of(name)
    assert compiled is not None
    first = compiled.gate("a{1,3}|[é]|\n")
    assert first(b"xxaa a", 0) == 2
    assert first(b"xxaa a", 4) == 5
    assert first(b"xxaa", 4) is None
    assert first("x¤é".encode("latin-1"), 0) == 2
    assert first(b"x\n", 0) == 1


def test_re2_tells_which_patterns_fit_from_the_beginning_on() -> None:
    pytest.importorskip("re2", reason="one engine of two")
    compiled = engine_of("re2")
    assert compiled is not None
    tried = compiled.tried(["a{2}", "[é]b", "ab?"])
    assert sorted(tried(b"aac") or ()) == [0, 2]
    assert list(tried("ébc".encode("latin-1")) or ()) == [1]
    assert not tried(b"baa")
