"""Money that comes in once a month by a custom user's inflow_model, as the world's clock goes on.

What it did in the two years before is there from the beginning. The balance of a debt is what its
account says on the statement day: a payment does not change it, as no transaction of the Sandbox does.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from platypus_bank.clock import midnight
from platypus_bank.institution_status import is_reachable
from platypus_bank.records import Account, Inflow, Item
from platypus_bank.seeds.blueprint import Transaction, category, transaction_body
from platypus_bank.seeds.inflows import InflowModel, falls_on
from platypus_bank.world import World

HISTORY_DAYS = 730
_ONE_DAY = timedelta(days=1)
_PAYMENTS = {"student": "STUDENT_LOAN_PAYMENT", "mortgage": "MORTGAGE_PAYMENT"}


def begin(world: World, item: Item, account: Account, model: InflowModel) -> None:
    """Let money come in on an account, from two years ago on."""
    began = world.clock.today() - timedelta(days=HISTORY_DAYS)
    inflow = Inflow(
        id=account.id,
        owner=item.id,
        model=model,
        balance=_owed(account),
        known_until=began.isoformat(),
    )
    _go_on(world, item, inflow)


def settle(world: World, item: Item) -> None:
    """Bring an Item's inflows up to the clock; what came in waits for Transactions to give it out."""
    due_at = next_at(world, item)
    if due_at is None or due_at > world.clock.now():
        return
    for inflow in world.store.of(Inflow, item.id):
        _go_on(world, item, inflow)
    world.store.put(item)


def next_at(world: World, item: Item) -> float | None:
    """Return the midnight that brings something, if only a statement; None for most Items."""
    if item.inflows_known_until is None or not is_reachable(world, item):
        return None
    return midnight(date.fromisoformat(item.inflows_known_until) + _ONE_DAY)


def _go_on(world: World, item: Item, inflow: Inflow) -> None:
    today = world.clock.today()
    account = world.store.get(Account, inflow.id)
    if account is not None:
        world.ledger.stage(item, _rows(world, account, inflow, today))
    inflow.known_until = item.inflows_known_until = today.isoformat()
    world.store.put(inflow)


def _rows(world: World, account: Account, inflow: Inflow, today: date) -> Iterator[dict[str, Any]]:
    model, day = inflow.model, date.fromisoformat(inflow.known_until)
    while (day := day + _ONE_DAY) <= today:
        if falls_on(model.statement_day, day):
            inflow.balance = _owed(account)
        amount = model.amount(inflow.balance)
        if falls_on(model.payment_day, day) and amount > 0:
            known = _transaction(account, model, day, amount)
            yield transaction_body(known, world.ids.take(), account.id, today)


def _transaction(account: Account, model: InflowModel, day: date, amount: Decimal) -> Transaction:
    payment = _PAYMENTS.get(account.body["subtype"], "CREDIT_CARD_PAYMENT")
    is_income = model.kind == "monthly-income"
    return Transaction(
        transacted=day,
        posted=day,
        amount=-amount,
        description=model.name,
        currency=account.body["balances"]["iso_currency_code"],
        fields=category("INCOME", "WAGES") if is_income else category("LOAN_PAYMENTS", payment),
    )


def _owed(account: Account) -> Decimal:
    return Decimal(account.body["balances"]["current"] or 0)
