"""What `module:attribute` names: a store or a server, opened for the length of a command."""

import importlib
import inspect
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, cast

import typer
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store

from chatkit_prod.access import system_principal
from chatkit_prod.context import RequestContext
from chatkit_prod.options import named
from chatkit_prod.retention.beneath import beneath

_STEPS = 3
"""A factory may be async, and return what is opened with `async with`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a command works on.

    Args:
        store: The store.
        attachment_store: Where the bytes of attachments are, if that is known.
        context: For both.
    """

    store: Store[Any]
    attachment_store: AttachmentStore[Any] | None
    context: Any


def opened(
    name: str, *, attachments: str | None, context: str | None, job: str
) -> AbstractAsyncContextManager[Target]:
    """Import what a command works on, now, and return what opens it for the length of a block.

    Args:
        name: `module:attribute` of a `Store` or a `ChatKitServer`, or of a function that returns one.
        attachments: Of an `AttachmentStore`, likewise; that of the server if None.
        context: Of the context for both, or of a function that returns one; a `RequestContext` of the system if None.
        job: What for, for the audit record.

    Raises:
        BadParameter: There is no such thing, or it is something else.
    """
    return _opened(
        (name, imported(name)),
        None if attachments is None else (attachments, imported(attachments)),
        None if context is None else (context, imported(context)),
        job,
    )


_Named = tuple[str, Any]
"""What was imported, and by which name."""


@asynccontextmanager
async def _opened(
    named_target: _Named, attachments: _Named | None, context: _Named | None, job: str
) -> AsyncGenerator[Target]:
    async with AsyncExitStack() as opening:
        found, is_open = await _resolved(*named_target, (Store, ChatKitServer), opening)
        store: Any = found
        files: AttachmentStore[Any] | None = None
        if issubclass(type(found), ChatKitServer):
            store, files = found.store, found.attachment_store
        bare = beneath(store)
        if isinstance(bare, AbstractAsyncContextManager) and not is_open:
            await opening.enter_async_context(bare)
        if attachments is not None:
            files, _ = await _resolved(*attachments, (AttachmentStore,), opening)
        if context is None:
            made: Any = RequestContext(principal=system_principal(job))
        else:
            made = _called(*context) if callable(context[1]) else context[1]
            made = await made if inspect.isawaitable(made) else made
        yield Target(store=store, attachment_store=files, context=made)


async def _resolved(
    name: str, found: Any, kinds: tuple[type, ...], opening: AsyncExitStack
) -> tuple[Any, bool]:
    """Return what is meant, and whether it had to be opened."""
    is_open = False
    for _ in range(_STEPS):
        if inspect.isawaitable(found):
            found = await found
        elif isinstance(found, AbstractAsyncContextManager):
            found, is_open = (
                await opening.enter_async_context(cast("AbstractAsyncContextManager[Any]", found)),
                True,
            )
            break
        elif isinstance(found, kinds) or not callable(found):
            break
        else:
            found = _called(name, found)
    if not isinstance(found, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise typer.BadParameter(f"{name} is {named(found)}, not a {wanted} or a function that returns one")
    return found, is_open


def _called(name: str, function: Any) -> Any:
    try:
        inspect.signature(function).bind()
    except TypeError:
        raise typer.BadParameter(f"{name} needs arguments: name a function that needs none") from None
    except ValueError:  # a built-in that does not tell
        pass
    return function()


def imported(name: str) -> Any:
    """Return what `module:attribute` names, seen from the current folder.

    Raises:
        BadParameter: There is no such thing.
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise typer.BadParameter(f"write module:attribute, such as myapp.main:server, not {name}")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise typer.BadParameter(
            f"there is no module {error.name} in {folder} or among what is installed"
        ) from None
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError:
        raise typer.BadParameter(f"{module_name} has no {attribute}") from None
