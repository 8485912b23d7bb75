"""The command: what it names, what it prints, and with which code it ends."""

import asyncio
import builtins
import importlib
import json
import logging
import os
import re
import runpy
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

import chatkit_prod.cli
from chatkit_prod.cli.app import app
from chatkit_prod.cli.progress import SweepProgress
from chatkit_prod.records import audit_logger
from chatkit_prod.retention import SweepReport
from tests.retention import cli_targets as targets

HERE = "tests.retention.cli_targets:"
USER = ("--issuer", "desk", "--subject", "alice")


@pytest.fixture(autouse=True)
def filled() -> Iterator[None]:
    asyncio.run(targets.fill())
    level, handlers = audit_logger.level, list(audit_logger.handlers)
    yield
    audit_logger.setLevel(level)
    audit_logger.handlers[:] = handlers


def call(*arguments: str) -> tuple[int, str]:
    """Run a command, and return its code and what it prints, without colours and frames."""
    found = CliRunner().invoke(app, arguments, terminal_width=300)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, " ".join(re.sub("[│╭╮╰╯─]", " ", found.output).split())


def left() -> list[str]:
    return list(targets.store._threads)


@pytest.mark.parametrize("name", ["server", "later", "block"])
def test_a_sweep_of_a_server_goes_by_its_own_policy(name: str) -> None:
    code, output = call("sweep", HERE + name)
    assert (code, left(), targets.files.bytes) == (0, ["thr_0", "thr_20"], {})
    assert "Done: 3 threads and 1 attachments deleted, 2 kept, 0 held, 0 failed." in output
    assert targets.opened == ([] if name == "block" else ["in", "out"])


def test_a_sweep_of_a_store_goes_by_the_age_and_prints_a_line_per_batch() -> None:
    code, output = call(
        "sweep",
        HERE + "store",
        "--older-than",
        "50d",
        "--attachments",
        HERE + "files",
        "--batch",
        "1",
        "--pause",
        "0",
    )
    assert (code, left()) == (0, ["thr_0", "thr_20", "thr_40"])
    assert output.index("1 threads and 1 attachments deleted") < output.index(
        "2 threads and 1 attachments deleted"
    )
    assert targets.opened == ["in", "out"]
    assert targets.contexts[0].principal.subject == "sweep"


def test_a_dry_run_deletes_nothing() -> None:
    code, output = call("sweep", HERE + "server", "--dry-run")
    assert (code, len(left())) == (0, 5)
    assert "3 threads and 1 attachments would be deleted" in output


def test_what_failed_is_told_by_the_code() -> None:
    code, output = call("sweep", HERE + "store", "--older-than", "50d")
    assert code == 1
    assert "1 failed" in output


@pytest.mark.parametrize(
    ("name", "expected"), [("context", "own"), ("context_later", "later"), ("number", 5)]
)
def test_a_store_gets_the_context_of_the_app(name: str, expected: Any) -> None:
    call("sweep", HERE + "server", "--context", HERE + name)
    assert targets.contexts[0] == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("sweep", "nowhere"), "write module:attribute"),
        (("sweep", "no_such_module:store"), "there is no module no_such_module"),
        (("sweep", HERE + "absent"), "has no absent"),
        (("sweep", HERE + "number"), "is an int, not a Store or ChatKitServer"),
        (("sweep", HERE + "builtin"), "is an int, not a Store or ChatKitServer"),
        (("sweep", HERE + "endless"), "is a function, not a Store or ChatKitServer"),
        (("sweep", HERE + "dictionary"), "is a dict, not a Store or ChatKitServer"),
        (("sweep", HERE + "needs"), "needs arguments"),
        (("sweep", HERE + "store"), "say --older-than"),
        (("sweep", HERE + "server", "--older-than", "3d"), "leave --older-than out"),
        (("sweep", HERE + "store", "--older-than", "30"), "write a number and m, h, d or w"),
        (("hold", HERE + "store", "thr_0", "--reason", ""), "a hold needs a reason"),
        (("export", HERE + "store", *USER, "--output", "/nowhere/at/all"), "cannot be made"),
    ],
)
def test_a_usual_mistake_is_told_in_a_line(arguments: tuple[str, ...], says: str) -> None:
    code, output = call(*arguments)
    assert code == 2
    assert says in output
    assert "Traceback" not in output


def test_an_import_that_fails_inside_of_the_module_is_the_apps_own_error(tmp_path: Path) -> None:
    (tmp_path / "app_with_a_typo.py").write_text("import no_such_thing_at_all")
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        found = CliRunner().invoke(app, ["sweep", "app_with_a_typo:store"])
    finally:
        os.chdir(before)
        sys.path.remove(str(tmp_path))
    assert isinstance(found.exception, ModuleNotFoundError)


def test_an_error_of_the_app_is_told_by_its_type() -> None:
    code, output = call("sweep", HERE + "broken")
    assert code == 1
    assert "Failed with builtins.OSError" in output
    assert "secret words" not in output


def test_an_interrupt_ends_after_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    load = targets.Opening.load_threads

    async def interrupted(self: Any, *arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return await load(self, *arguments)

    monkeypatch.setattr(targets.Opening, "load_threads", interrupted)
    code, output = call("sweep", HERE + "server", "--batch", "1")
    assert (code, len(left())) == (130, 4)
    assert "Interrupted: 1 threads" in output
    assert signal.getsignal(signal.SIGINT) is before


def test_an_export_is_a_new_file_for_its_reader_alone(tmp_path: Path) -> None:
    path = tmp_path / "alice.jsonl"
    code, output = call("export", HERE + "server", *USER, "--output", str(path))
    assert (code, path.stat().st_mode & 0o777) == (0, 0o600)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1]["data"]["thread"] == 5
    assert "Done: 7 lines" in output
    assert call("export", HERE + "server", *USER, "--output", str(path))[0] == 2


def test_an_erasure_deletes_and_tells_what_is_held() -> None:
    assert call("hold", HERE + "server", "thr_20", "--reason", "case 1") == (0, "Done.")
    assert call("hold", HERE + "server", "absent", "--reason", "case 1")[0] == 1
    code, output = call("erase", HERE + "server", *USER, "--dry-run")
    assert (code, len(left())) == (1, 5)
    assert "4 threads and 1 attachments would be deleted" in output
    code, output = call("erase", HERE + "server", *USER)
    assert (code, left()) == (1, ["thr_20"])
    assert "Still there, held: thr_20" in output
    assert call("release", HERE + "server", "thr_20", "--reason", "over")[0] == 0
    assert left() == []
    code, output = call("erase", HERE + "server", *USER)
    assert (code, output) == (0, "Done: 0 threads and 0 attachments deleted.")


def test_audit_records_go_where_the_app_has_said() -> None:
    handler = logging.NullHandler()
    audit_logger.addHandler(handler)
    audit_logger.setLevel(logging.WARNING)
    call("sweep", HERE + "server")
    assert handler in audit_logger.handlers
    assert audit_logger.level == logging.WARNING


def test_audit_records_go_to_standard_error_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_logger, "propagate", False)
    audit_logger.handlers.clear()
    _, output = call("sweep", HERE + "server")
    assert 'resource_id="thr_40"' in output


def test_a_terminal_shows_a_line_that_moves() -> None:
    console = Console(force_terminal=True, width=120, file=open(os.devnull, "w"), record=True)  # noqa: SIM115, PTH123
    with SweepProgress(console) as progress:
        progress.show(SweepReport(deleted=7))
        progress._bar.refresh()
    assert "7 threads" in progress._bar.tasks[0].description
    console.file.close()


def test_without_the_extra_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "app" and arguments[-1] == 1:
            raise ImportError(name=missing_name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    missing_name = "typer.core"
    with pytest.raises(SystemExit, match=r"chatkit-prod\[cli\]"):
        chatkit_prod.cli.main()
    missing_name = "something.else"
    with pytest.raises(ImportError):
        chatkit_prod.cli.main()


def test_the_command_is_a_module_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["chatkit-prod", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("chatkit_prod.cli", run_name="__main__")
    assert ended.value.code == 0
    importlib.import_module("chatkit_prod.cli.__main__")
