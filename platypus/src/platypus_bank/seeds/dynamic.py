"""user_transactions_dynamic: pending and posted money that moves on at every refresh.

https://plaid.com/docs/transactions/transactions-data/
"""

from datetime import date, timedelta
from decimal import Decimal
from random import Random

from platypus_bank.seeds import debts
from platypus_bank.seeds.blueprint import Account, Transaction, category
from platypus_bank.seeds.merchants import SHOPS

POSTED = 46
PENDING = 4
HISTORY_DAYS = 180
_PENDING_FOR_DAYS = 14  # the documented upper bound; a refresh posts them sooner


def accounts(today: date, random: Random) -> list[Account]:
    """Return a checking account and a credit card with 50 transactions over six months."""
    checking = Account(
        name="Plaid Checking", official_name="Plaid Gold Standard 0% Interest Checking",
        mask="0000", type="depository", subtype="checking",
        current=Decimal(110), available=Decimal(100),
    )  # fmt: skip
    card = Account(
        name="Plaid Credit Card", official_name="Plaid Diamond 12.5% APR Interest Credit Card",
        mask="3333", type="credit", subtype="credit card",
        current=Decimal(410), available=None, limit=Decimal(2000),
        liability=debts.card({"purchase_apr": Decimal("12.5")}, Decimal(410), today),
    )  # fmt: skip
    days = [round(place * HISTORY_DAYS / POSTED) + 2 for place in range(POSTED)]
    for place, days_ago in enumerate(days):
        day = today - timedelta(days=min(days_ago, HISTORY_DAYS))
        (checking, card)[place % 2].transactions.append(_posted(day, random))
    for place in range(PENDING):
        (checking, card)[place % 2].transactions.append(pending(today, random))
    return [checking, card]


def pending(today: date, random: Random) -> Transaction:
    """Return a purchase made today that the bank has not posted."""
    return _purchase(today, today + timedelta(days=_PENDING_FOR_DAYS), random)


def _posted(day: date, random: Random) -> Transaction:
    return _purchase(day - timedelta(days=1), day, random)


def _purchase(transacted: date, posted: date, random: Random) -> Transaction:
    shop, primary, detail = random.choice(SHOPS)
    return Transaction(
        transacted=transacted,
        posted=posted,
        amount=Decimal(random.randrange(250, 12_000)) / 100,
        description=shop,
        currency="USD",
        fields={
            "merchant_name": shop,
            "payment_channel": "in store",
            **category(primary, detail, "HIGH"),
        },
    )
