"""A movement as Plaid tells it: the Transaction schema of the OpenAPI file, and its ids."""

from typing import Any

from platypus_bank.clock import day_of
from platypus_bank.living.movements import Movement, State
from platypus_bank.money import money
from platypus_bank.records import Account, Item
from platypus_bank.seeds.blueprint import blank_transaction, category
from platypus_bank.world import World


def row_id(world: World, item: Item, movement: Movement, state: State) -> str:
    """Return the transaction_id of a movement in a state: posted, it is another transaction."""
    return world.ids.named(item.id, movement.key, "pending" if state.pending else "posted")


def body(
    world: World, item: Item, account: Account, movement: Movement, state: State
) -> dict[str, Any]:
    """Return the Transaction that shows a movement in a state, with original_description."""
    shown = movement.shown_at if movement.posted_at is None or state.pending else movement.posted_at
    whole = blank_transaction(
        row_id(world, item, movement, state), account.id, day_of(shown).isoformat()
    )
    whole |= {
        "amount": money(movement.amount(state)),
        "iso_currency_code": account.body["balances"]["iso_currency_code"],
        "authorized_date": day_of(movement.shown_at).isoformat(),
        "name": movement.label,
        "original_description": movement.label,
        "payment_channel": movement.channel,
        "pending": state.pending,
    }
    if movement.was_pending and not state.pending:
        whole["pending_transaction_id"] = row_id(world, item, movement, State(True, state.refined))  # noqa: FBT003 - the pending state
    return whole | (_known(movement) if state.refined else {})


def _known(movement: Movement) -> dict[str, Any]:
    """Return what Plaid knows of a movement once it has looked at it."""
    primary, detail = movement.category
    known = category(primary, detail, "HIGH")
    if movement.merchant is None:
        return known
    party = {
        "name": movement.merchant,
        "type": "merchant",
        "website": None,
        "logo_url": None,
        "entity_id": None,
        "confidence_level": "HIGH",
    }
    return known | {
        "name": movement.merchant,
        "merchant_name": movement.merchant,
        "counterparties": [party],
    }
