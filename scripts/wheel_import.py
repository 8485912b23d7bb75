"""Import every module of the installed package, and compare the package with its source.

Run with the interpreter of an environment that holds the wheel and its dependencies, but no extra:

    python -I scripts/wheel_import.py src
"""

import importlib
import importlib.metadata
import pkgutil
import sys
from pathlib import Path

PACKAGE = "chatkit_prod"
NEEDS_AN_EXTRA: dict[str, str] = {
    "chatkit_prod.testing.contract": "testing",
    **{
        f"chatkit_prod.cli.{name}": "cli"
        for name in ("app", "holds", "parameters", "progress", "requests", "run", "sweeping", "target")
    },
    **{f"chatkit_prod.limits.{name}": "limits" for name in ("counters", "memory", "redis")},
}


def main(source: Path) -> int:
    """Return the number of things that are wrong with the installed package."""
    package = importlib.import_module(PACKAGE)
    installed = Path(str(package.__file__)).parent
    problems: list[str] = []
    if source.resolve() in installed.resolve().parents:
        problems.append(f"{PACKAGE} comes from the source tree {source}, not from an installed wheel")

    modules = {PACKAGE} | {found.name for found in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")}
    for name in sorted(modules - NEEDS_AN_EXTRA.keys()):
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            problems.append(f"{name} does not import without an extra: {error!r}")

    present = {path.relative_to(installed) for path in installed.rglob("*") if wanted(path)}
    expected = {path.relative_to(source / PACKAGE) for path in (source / PACKAGE).rglob("*") if wanted(path)}
    problems += [f"the wheel lacks {path}" for path in sorted(expected - present)]
    problems += [f"the wheel holds {path}, which is not in the source" for path in sorted(present - expected)]

    version = importlib.metadata.version("chatkit-prod")
    if version != package.__version__:
        problems.append(f"the metadata say {version}, __version__ says {package.__version__}")

    for problem in problems:
        print(problem)
    print(f"{len(modules)} modules of {PACKAGE} {version}, {len(problems)} problems")
    return len(problems)


def wanted(path: Path) -> bool:
    """Tell whether a file belongs into the wheel."""
    return path.is_file() and "__pycache__" not in path.parts


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]))))
