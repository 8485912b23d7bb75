"""The demo: `python -m examples.support_desk` serves on loopback and prints what to try."""

import argparse
import asyncio
import logging
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import uvicorn
from agents import Model

from chatkit_prod.pii import RedactingFilter

from .app import create_app, identity_provider
from .model import ScriptedModel, choose_model
from .smoke import smoke
from .tour import make_tokens, print_tour

HOST = "127.0.0.1"


def main() -> int:
    """Serve until Ctrl-C, or take the tour and return whether something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m examples.support_desk", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="where to listen (8000)")
    parser.add_argument("--database", type=Path, help="a file to keep; a temporary one otherwise")
    parser.add_argument("--smoke", action="store_true", help="take the tour on a free port, and stop")
    options = parser.parse_args()
    try:
        listener = socket.create_server((HOST, 0 if options.smoke else options.port))
    except OSError:
        parser.error(f"port {options.port} cannot be used; choose another with --port")
    with listener, tempfile.TemporaryDirectory(prefix="support_desk_") as directory:
        database = options.database or Path(directory, "support_desk.sqlite3")
        if options.smoke:
            return 0 if asyncio.run(take_tour(listener, database)) else 1
        serve(listener, database)
    return 0


def serve(listener: socket.socket, database: Path) -> None:
    """Serve until Ctrl-C."""
    _log_to_terminal()
    model = choose_model()
    print(f"Model: {'scripted; set OPENAI_API_KEY for a real one' if model else 'OpenAI'}")
    print(f"Database: {database}")
    print("Below: one line for each request. In another terminal, try these:\n")
    print_tour(_url(listener), make_tokens(identity_provider))
    with suppress(KeyboardInterrupt):
        _server(database, model).run(sockets=[listener])


async def take_tour(listener: socket.socket, database: Path) -> bool:
    """Serve while the tour is taken, and tell whether everything was as it should be."""
    server = _server(database, ScriptedModel())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        return await smoke(_url(listener), make_tokens(identity_provider))
    finally:
        server.should_exit = True
        await serving


def _server(database: Path, model: Model | None) -> uvicorn.Server:
    app = create_app(database, model=model)
    return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}/chatkit"


def _log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
