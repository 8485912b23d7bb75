"""What the scripted model says, in every language of the app."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The lines of one language.

    Args:
        greeting: The first words in a thread.
        again: The first words when the thread has a history.
        offer: What the desk can do.
        more: What follows on the result of a tool.
        everything: One paragraph of a very long explanation of step `{step}`.
    """

    greeting: str
    again: str
    offer: str
    more: str
    everything: str


LINES: Mapping[str, Lines] = {
    "en": Lines(
        greeting="Hello!",
        again="Hello again!",
        offer="I can look up an order such as A-1001, or open a ticket.",
        more="Is there anything else?",
        everything=(
            "Step {step}. Your order is written down, paid for, packed by hand, checked once more, "
            "handed to the carrier, and followed until it has reached you. "
        ),
    ),
    "fr": Lines(
        greeting="Bonjour !",
        again="Rebonjour !",
        offer="Je peux chercher une commande comme A-1001, ou ouvrir un ticket.",
        more="Puis-je faire autre chose pour vous ?",
        everything=(
            "Étape {step}. Votre commande est notée, payée, emballée à la main, vérifiée encore une fois, "
            "remise au transporteur, et suivie jusqu’à ce qu’elle soit chez vous. "
        ),
    ),
    "de": Lines(
        greeting="Guten Tag!",
        again="Da sind Sie ja wieder!",
        offer="Ich kann eine Bestellung wie A-1001 suchen oder ein Ticket öffnen.",
        more="Kann ich sonst noch etwas für Sie tun?",
        everything=(
            "Schritt {step}. Ihre Bestellung wird notiert, bezahlt, von Hand gepackt, noch einmal geprüft, "
            "dem Boten übergeben und verfolgt, bis sie bei Ihnen ist. "
        ),
    ),
}
