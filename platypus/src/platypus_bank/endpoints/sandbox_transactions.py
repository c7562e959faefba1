"""/sandbox/transactions/create: money of one's own for the dynamic user."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

from platypus_bank import history
from platypus_bank.access import item_with
from platypus_bank.endpoints import Table
from platypus_bank.errors import InvalidField
from platypus_bank.records import Account, Item
from platypus_bank.requests import ByAccessToken
from platypus_bank.seeds import blueprint, people
from platypus_bank.world import World

TRANSACTIONS_MAX = 10
DAYS_MAX = 14


class CustomTransaction(Struct, kw_only=True):
    """CustomSandboxTransaction."""

    date_transacted: date
    date_posted: date
    amount: Decimal
    description: str
    iso_currency_code: str = "USD"


class TransactionsCreate(ByAccessToken, kw_only=True):
    """SandboxTransactionsCreateRequest."""

    transactions: list[CustomTransaction]


def transactions_create(world: World, request: TransactionsCreate) -> dict[str, Any]:
    """Add posted transactions to the Item's depository account; raises InvalidField."""
    item = item_with(world, request.access_token, "transactions")
    if item.username != people.DYNAMIC:
        raise InvalidField("the Item must have been created with user_transactions_dynamic")
    if len(request.transactions) > TRANSACTIONS_MAX:
        raise InvalidField("The request contains too many transactions.")
    account_id, today = _depository(world, item), world.clock.today()
    bought = [_bought(each, today) for each in request.transactions]
    history.settle(world, item)
    for each in bought:
        body = blueprint.transaction_body(each, world.ids.take(), account_id, today)
        world.ledger.put(item, body)
    item.last_update_at = world.clock.now()
    world.store.put(item)
    return {}


def _bought(given: CustomTransaction, today: date) -> blueprint.Transaction:
    transacted, posted = given.date_transacted, given.date_posted
    if not today - timedelta(days=DAYS_MAX) <= transacted <= posted <= today:
        raise InvalidField(
            "Transaction and posted dates must be within the last 14 days. "
            "The posted date cannot be before the transaction date."
        )
    return blueprint.Transaction(
        transacted=transacted,
        posted=posted,
        amount=given.amount,
        description=given.description,
        currency=given.iso_currency_code,
    )


def _depository(world: World, item: Item) -> str:
    for account in world.store.of(Account, item.id):
        if account.open and account.body["type"] == "depository":
            return account.id
    raise InvalidField("the Item has no depository account")


TABLE: Table = {"/sandbox/transactions/create": (TransactionsCreate, transactions_create)}
