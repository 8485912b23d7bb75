"""A real PostgreSQL: a cluster of its own that nobody keeps, in a process of its own."""

import asyncio
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from tests.path.servers import LIMIT, listening

_BIN = Path(os.environ.get("POSTGRES_BIN") or max(Path("/usr/lib/postgresql").glob("*/bin"), default=""))
_INITDB = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
_READY = b"database system is ready to accept connections"


@asynccontextmanager
async def postgres() -> AsyncGenerator[str]:
    """Run PostgreSQL on a free port of the loopback interface; gives its URL, without a database."""
    with tempfile.TemporaryDirectory(prefix="postgres_") as made:
        cluster, user = Path(made), _user()
        if user:
            os.chown(cluster, user["user"], user["group"])
        options: dict[str, Any] = {**user, "cwd": cluster, "env": {"LC_ALL": "C"}}
        await asyncio.to_thread(_initdb, cluster, options)
        with listening() as (_, port):
            pass
        process = await asyncio.create_subprocess_exec(
            _BIN / "postgres",
            *("-D", cluster, "-h", "127.0.0.1", "-p", str(port), "-k", ""),  # no socket in the file system
            stderr=asyncio.subprocess.PIPE,
            **options,
        )
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        reading = asyncio.create_task(_read(cast("asyncio.StreamReader", process.stderr), ready))
        try:
            await asyncio.wait_for(ready, LIMIT)
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGQUIT)  # it need not save anything
            await asyncio.wait_for(process.wait(), LIMIT)
            await reading


def _initdb(cluster: Path, options: dict[str, Any]) -> None:
    command = [str(_BIN / "initdb"), "-D", str(cluster), *_INITDB]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT, **options)


def _user() -> dict[str, Any]:
    """Return whom PostgreSQL runs as: not root, whom it refuses."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


async def _read(log: asyncio.StreamReader, ready: asyncio.Future[None]) -> None:
    """Read what the server logs to its end, so that it never waits for room in the pipe."""
    logged = b""
    async for line in log:
        logged += line
        if _READY in line and not ready.done():
            ready.set_result(None)
    if not ready.done():
        ready.set_exception(RuntimeError(f"PostgreSQL did not start:\n{logged.decode()}"))
