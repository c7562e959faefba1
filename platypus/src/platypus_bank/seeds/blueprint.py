"""What a bank knows about a person: accounts and transactions, before they get ids."""

from datetime import date
from typing import Any

from msgspec import Struct, field

from platypus_bank.exact_json import Number
from platypus_bank.seeds.debts import Liability
from platypus_bank.seeds.inflows import InflowModel
from platypus_bank.seeds.owners import default_numbers, default_owner
from platypus_bank.seeds.portfolio import Portfolio

POSTS_ON = "platypus.posts_on"  # no key of Plaid's; the ledger keeps it apart
_EMPTY_LOCATION = dict.fromkeys(
    ("address", "city", "region", "postal_code", "country", "lat", "lon", "store_number")
)
_EMPTY_PAYMENT_META = dict.fromkeys(
    (
        "by_order_of",
        "payee",
        "payer",
        "payment_method",
        "payment_processor",
        "ppd_id",
        "reason",
        "reference_number",
    )
)
_ICONS = "https://plaid-category-icons.plaid.com/PFC_"


class Transaction(Struct, kw_only=True):
    """One movement of money; positive = out of the account. `fields` go over the defaults."""

    transacted: date
    posted: date
    amount: Number
    description: str
    currency: str
    fields: dict[str, Any] = field(default_factory=dict)


class Account(Struct, kw_only=True):
    """One account with what happened on it; `role` is what it is to a living person."""

    role: str | None = None
    name: str
    official_name: str | None
    mask: str | None
    type: str
    subtype: str | None
    current: Number | None
    available: Number | None
    limit: Number | None = None
    currency: str = "USD"
    transactions: list[Transaction] = field(default_factory=list)
    owners: list[dict[str, Any]] = field(default_factory=lambda: [default_owner()])
    numbers: dict[str, Any] = field(default_factory=dict)
    liability: Liability | None = None
    portfolio: Portfolio | None = None
    inflow: InflowModel | None = None

    def all_numbers(self) -> dict[str, Any]:
        """Return account and bank numbers: what is told, over what any account has."""
        told = {name: value for name, value in self.numbers.items() if value is not None}
        return default_numbers(self.mask) | told

    def body(self, account_id: str) -> dict[str, Any]:
        """Return the AccountBase schema of the OpenAPI file."""
        balances = {
            "available": self.available,
            "current": self.current,
            "limit": self.limit,
            "iso_currency_code": self.currency,
            "unofficial_currency_code": None,
        }
        return {
            "account_id": account_id,
            "balances": balances,
            "mask": self.mask,
            "name": self.name,
            "official_name": self.official_name,
            "type": self.type,
            "subtype": self.subtype,
            "holder_category": "personal",
        }


def category(primary: str, detail: str, confidence: str = "LOW") -> dict[str, Any]:
    """Return the category fields of a transaction (personal finance category, v2)."""
    return {
        "personal_finance_category": {
            "primary": primary,
            "detailed": f"{primary}_{detail}",
            "confidence_level": confidence,
            "version": "v2",
        },
        "personal_finance_category_icon_url": f"{_ICONS}{primary}.png",
    }


def empty_location() -> dict[str, Any]:
    """Return the Location schema of a place that nobody knows."""
    return dict(_EMPTY_LOCATION)


def blank_transaction(transaction_id: str, account_id: str, day: str) -> dict[str, Any]:
    """Return a posted Transaction with every key Plaid always sends, and nothing known."""
    return {
        "account_id": account_id,
        "account_owner": None,
        "amount": 0,
        "iso_currency_code": "USD",
        "unofficial_currency_code": None,
        "check_number": None,
        "counterparties": [],
        "date": day,
        "datetime": None,
        "authorized_date": None,
        "authorized_datetime": None,
        "location": empty_location(),
        "name": "",
        "merchant_name": None,
        "merchant_entity_id": None,
        "logo_url": None,
        "website": None,
        "payment_meta": dict(_EMPTY_PAYMENT_META),
        "payment_channel": "other",
        "pending": False,
        "pending_transaction_id": None,
        **category("GENERAL_MERCHANDISE", "OTHER_GENERAL_MERCHANDISE"),
        "transaction_id": transaction_id,
        "transaction_code": None,
        "transaction_type": "special",
    }


def transaction_body(
    known: Transaction, transaction_id: str, account_id: str, today: date
) -> dict[str, Any]:
    """Return the Transaction schema as of `today`; one that posts later is pending.

    Carries `original_description`, and POSTS_ON while pending, for the ledger to take off.
    """
    pending = known.posted > today
    day = (known.transacted if pending else known.posted).isoformat()
    body = blank_transaction(transaction_id, account_id, day) | {
        "amount": known.amount,
        "iso_currency_code": known.currency,
        "authorized_date": known.transacted.isoformat(),
        "name": known.description,
        "original_description": known.description,
        "pending": pending,
    }
    if pending:
        body[POSTS_ON] = known.posted.isoformat()
    if known.amount < 0:
        body |= category("INCOME", "OTHER_INCOME")
    return body | known.fields
