"""The command `chatkit-prod`, with the extra `cli`."""

import sys


def main() -> None:
    """Run the command; without the extra, say how to get it."""
    try:
        from .app import app  # noqa: PLC0415 - the extra may be missing
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("typer", "rich"):
            raise
        sys.exit("chatkit-prod needs its extra: pip install 'chatkit-prod[cli]'")
    app()
