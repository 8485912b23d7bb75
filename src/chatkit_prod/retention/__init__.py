"""How long things are kept: what has expired is hidden at once, deleted soon, and never while a hold is on it."""

from .erase import EraseReport, erase_user
from .export import export_user
from .hold import DELETED_KEY, HOLD_KEY, hold, is_held, release
from .policy import ExpiresAt, RetentionPolicy, Status
from .store import RetentionStore
from .sweep import SweepReport, sweep, sweep_batches

__all__ = [
    "DELETED_KEY",
    "HOLD_KEY",
    "EraseReport",
    "ExpiresAt",
    "RetentionPolicy",
    "RetentionStore",
    "Status",
    "SweepReport",
    "erase_user",
    "export_user",
    "hold",
    "is_held",
    "release",
    "sweep",
    "sweep_batches",
]
