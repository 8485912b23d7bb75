"""What went wrong with one thread, for the log; the others go on."""

import logging

from chatkit.types import ThreadMetadata

from chatkit_prod.errors import stack_of

logger = logging.getLogger("chatkit_prod")


def log_failure(thread: ThreadMetadata, error: Exception) -> None:
    """Log that a thread is still there, and why; never content."""
    logger.error("thread %s could not be deleted\n%s", thread.id, stack_of(error))
