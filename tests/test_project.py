"""What holds for the repository as a whole."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import chatkit_prod

ROOT = Path(__file__).parent.parent

REGISTRY = re.compile(
    r"https?://[\w.-]*(?:pypi|pythonhosted|npmjs|yarnpkg|deb\.debian|crates)[\w.-]*"
    r"|https?://\S+/simple\b"
    r"|https?://\S+\.(?:whl|tgz)\b"
    r"|--(?:extra-)?index-url\b|--find[-]links\b"
    r'|"resolved"\s*:',
)
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:work|root|tmp|home|Users)/\w")


def tracked_files() -> list[Path]:
    """Return what git tracks or would add: also a file that is about to be committed counts."""
    git = shutil.which("git")
    assert git, "git is needed to tell which files belong to the project"
    listing = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    files = [ROOT / name for name in listing.split("\0") if name]
    assert files, "git lists no file"
    return [path for path in files if path.is_file()]


def test_the_top_heading_of_the_changelog_is_the_version() -> None:
    heading = re.search(
        r"^## \[(?P<version>[^]]+)] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert heading is not None
    assert heading["version"] == chatkit_prod.__version__


@pytest.mark.parametrize(
    "forbidden",
    [pytest.param(REGISTRY, id="registry address"), pytest.param(MACHINE_PATH, id="machine path")],
)
def test_no_file_names_a_package_registry_or_a_path_of_one_machine(forbidden: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in tracked_files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "see https:" + "//pypi.org/project/x",
        "--index" + "-url=x",
        "https:" + "//mirror.example/simple/",
        "https:" + "//mirror.example/x-1-py3-none-any.whl",
        '"resolved"' + ': "x"',
    ],
)
def test_a_registry_address_is_recognised(line: str) -> None:
    assert REGISTRY.search(line)


def test_a_machine_path_is_recognised() -> None:
    assert MACHINE_PATH.search("cd /" + "home/somebody")
    assert not MACHINE_PATH.search("https://example.com/" + "home/page")


def test_every_requirement_is_pinned_and_hashed() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert lines, path.name
        for line in lines:
            assert re.match(r"[\w.\[\]-]+==\S+", line), f"{path.name}: {line[:80]}"
            assert "--hash=sha256:" in line, f"{path.name}: {line[:80]}"


def test_every_npm_package_is_pinned_and_hashed() -> None:
    folder = ROOT / "tests" / "integration" / "provider"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert locked.pop("")["dependencies"] == wanted
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    for name, package in locked.items():
        assert package["integrity"].startswith("sha512-"), name


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("runtime", "demo"),
        ("demo", "test"),
        ("test", "integration"),
        ("integration", "check"),
        ("docs", "check"),
    ],
)
def test_the_larger_set_of_requirements_holds_the_smaller(smaller: str, larger: str) -> None:
    assert pins(smaller) <= pins(larger)


def pins(name: str) -> set[tuple[str, str]]:
    """Return the (name, version) pairs of one requirements file."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return set(re.findall(r"^([\w.-]+)(?:\[[\w,-]+])?==(\S+)", text, re.MULTILINE))
