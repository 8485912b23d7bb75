"""The refusal of a model's input."""

from chatkit_prod.errors import InternalError


class UntrustedPromptError(InternalError):
    """The app was about to give a model instructions that may hold what somebody else has written.

    That is a fault of the app, not of its user: the answer is that of an internal error. The model is not called.

    Args:
        reason: Which rule is broken, in a few words for the audit record; never holds input.
        advice: What to write instead, for the developer; never holds input.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}: {advice}")
        self.reason = reason
