"""The store under everything that hides rows or asks whose they are: what a job works on."""

from collections.abc import Iterator
from typing import Any, TypeVar

from chatkit.store import AttachmentStore, Store

from chatkit_prod.store import DelegatingAttachmentStore, DelegatingStore, gate_of

TContext = TypeVar("TContext")


class Hiding:
    """Mixed into a store that hides rows which are there."""


def beneath(store: Store[TContext]) -> Store[TContext]:
    """Return what stands under the guard and under what hides rows; the store itself, if neither is there.

    A guard takes the owners' stamps away from what it gives; one that hides what expired would keep it from
    being deleted. What stands further in, such as a layer of encryption, stays.
    """
    layers = list(_layers(store))
    found = 0
    for depth, layer in enumerate(layers, start=1):
        if isinstance(layer, Hiding) or gate_of(layer) is not None:
            found = depth
    return layers[found]


def hiding_in(store: Store[Any]) -> Iterator[Hiding]:
    """Yield what hides rows in a store, outermost first."""
    return (layer for layer in _layers(store) if isinstance(layer, Hiding))


def files_beneath(files: AttachmentStore[TContext]) -> AttachmentStore[TContext]:
    """Return what stands under the guard of an attachment store: it would ask a store that hides what expired."""
    while isinstance(files, DelegatingAttachmentStore) and getattr(files, "gate", None) is not None:
        files = files.inner
    return files


def _layers(store: Store[TContext]) -> Iterator[Store[TContext]]:
    yield store
    while isinstance(store, DelegatingStore):
        store = store.inner
        yield store
