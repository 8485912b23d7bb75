"""What the app says, in every language that it speaks. A missing text is a type error."""

from collections.abc import Mapping
from dataclasses import dataclass

from .shop import OrderStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of one language.

    Args:
        instruction: Tells the model in which language to answer.
        looking_up: Shown while an order is looked up.
        order: Where the order `{number}` is: `{status}`.
        statuses: The `{status}` of an order.
        unknown_order: The user has no order `{number}`.
        no_order_number: This cannot be the number of an order.
        opening_ticket: Shown while a ticket is opened.
        ticket: The ticket `{number}` is open.
        no_summary: A ticket needs a summary of at most `{limit}` characters.
    """

    instruction: str
    looking_up: str
    order: str
    statuses: Mapping[OrderStatus, str]
    unknown_order: str
    no_order_number: str
    opening_ticket: str
    ticket: str
    no_summary: str


TEXTS: Mapping[str, Texts] = {
    "en": Texts(
        instruction="Answer in English.",
        looking_up="Looking up your order…",
        order="Your order {number} {status}.",
        statuses={"packed": "is being packed", "sent": "is on its way"},
        unknown_order="You have no order {number}.",
        no_order_number="An order number looks like A-1001.",
        opening_ticket="Opening a ticket…",
        ticket="I have opened ticket {number} for you.",
        no_summary="A ticket needs a summary of at most {limit} characters.",
    ),
    "fr": Texts(
        instruction="Answer in French.",
        looking_up="Je cherche votre commande…",
        order="Votre commande {number} {status}.",
        statuses={"packed": "est en préparation", "sent": "est en route"},
        unknown_order="Vous n’avez pas de commande {number}.",
        no_order_number="Un numéro de commande ressemble à A-1001.",
        opening_ticket="J’ouvre un ticket…",
        ticket="J’ai ouvert le ticket {number} pour vous.",
        no_summary="Un ticket demande un résumé de {limit} caractères au plus.",
    ),
    "de": Texts(
        instruction="Answer in German.",
        looking_up="Ich suche Ihre Bestellung …",
        order="Ihre Bestellung {number} {status}.",
        statuses={"packed": "wird gepackt", "sent": "ist unterwegs"},
        unknown_order="Sie haben keine Bestellung {number}.",
        no_order_number="Eine Bestellnummer sieht aus wie A-1001.",
        opening_ticket="Ich öffne ein Ticket …",
        ticket="Ich habe das Ticket {number} für Sie geöffnet.",
        no_summary="Ein Ticket braucht eine Zusammenfassung von höchstens {limit} Zeichen.",
    ),
}
