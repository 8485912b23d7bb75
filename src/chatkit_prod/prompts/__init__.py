"""Instructions come from trusted configuration alone, what users and tools say is fenced, and actions are validated."""

from .actions import ActionRouter
from .converter import FencingConverter
from .errors import UntrustedPromptError
from .fence import Fence, Source, untrusted
from .guard import PromptGuard, guard_model_input
from .system import Prompt, SystemPrompt
from .trusted import TrustedChoice, TrustedSetting, user_locale

__all__ = [
    "ActionRouter",
    "Fence",
    "FencingConverter",
    "Prompt",
    "PromptGuard",
    "Source",
    "SystemPrompt",
    "TrustedChoice",
    "TrustedSetting",
    "UntrustedPromptError",
    "guard_model_input",
    "untrusted",
    "user_locale",
]
