"""The catalogs of our texts are compiled when the package is built."""

import gettext
import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from chatkit_prod import texts

ROOT = Path(__file__).parent.parent
MESSAGES = "src/chatkit_prod/locale/messages"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(hook: ModuleType, root: Path) -> None:
    hook.CompileCatalogs(str(root), {}, None, None, str(root / "dist"), "wheel").initialize("standard", {})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project that nobody has built yet."""
    shutil.copytree(ROOT / MESSAGES, tmp_path / MESSAGES, ignore=shutil.ignore_patterns("*.mo"))
    return tmp_path


def test_a_build_compiles_every_catalog(hook: ModuleType, project: Path) -> None:
    build(hook, project)
    sources = sorted((project / MESSAGES).glob("*/LC_MESSAGES/*.po"))
    assert len(sources) == 63
    for source in sources:
        with source.with_suffix(".mo").open("rb") as opened:
            catalog = gettext.GNUTranslations(opened)
        assert catalog.gettext(texts.FAILED) != texts.FAILED


def test_a_build_replaces_what_an_older_one_has_made(hook: ModuleType, project: Path) -> None:
    compiled = project / MESSAGES / "fr_FR" / "LC_MESSAGES" / "chatkit_prod.mo"
    compiled.write_bytes(b"old" * 10_000)
    build(hook, project)
    content = compiled.read_bytes()
    build(hook, project)
    assert compiled.read_bytes() == content
    assert content.startswith(b"\xde\x12\x04\x95")


def test_a_build_leaves_the_sources_as_they_are(hook: ModuleType, project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*.po")}
    build(hook, project)
    assert {path: path.read_bytes() for path in project.rglob("*.po")} == before
    assert {path.suffix for path in project.rglob("*") if path.is_file()} == {".po", ".mo"}
