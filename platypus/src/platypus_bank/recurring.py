"""Which transactions come again and again (https://plaid.com/docs/api/products/transactions/#transactionsrecurringget).

Plaid does not say how it finds them. Here a stream is what one account pays to, or gets from, one
name, two times of three as often as a frequency says, give or take a few days.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any, Literal, NamedTuple

from platypus_bank.ids import named_id

Status = Literal["MATURE", "EARLY_DETECTION", "TOMBSTONED"]
_CENT = Decimal("0.01")


class _Frequency(NamedTuple):
    name: str
    days: int
    give_or_take: int
    mature_after: int  # so many transactions


_FREQUENCIES = (
    _Frequency("WEEKLY", 7, 1, 3),
    _Frequency("BIWEEKLY", 14, 1, 3),
    _Frequency("SEMI_MONTHLY", 15, 2, 3),
    _Frequency("MONTHLY", 30, 4, 3),
    _Frequency("ANNUALLY", 365, 15, 2),
)


class Streams(NamedTuple):
    """TransactionStream objects, by direction."""

    inflow: list[dict[str, Any]]
    outflow: list[dict[str, Any]]


def find_streams(transactions: Iterable[dict[str, Any]], today: date) -> Streams:
    """Return what comes again among posted transactions of any order, as of `today`."""
    groups: dict[tuple[str, str, bool], list[dict[str, Any]]] = defaultdict(list)
    for each in transactions:
        if not each["pending"]:
            name = each["merchant_name"] or each["name"]
            groups[each["account_id"], name, each["amount"] < 0].append(each)
    found = Streams([], [])
    for (account_id, name, is_inflow), rows in groups.items():
        rows.sort(key=lambda row: (row["date"], row["transaction_id"]))
        frequency = _frequency([date.fromisoformat(row["date"]) for row in rows])
        if frequency is not None:
            stream_id = named_id("stream", account_id, name, str(is_inflow))
            stream = _stream(stream_id, rows, frequency, today)
            (found.inflow if is_inflow else found.outflow).append(stream)
    return found


def _frequency(days: list[date]) -> _Frequency | None:
    """Return how often it happens; None where it is no rhythm, or happened once."""
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    if not gaps:
        return None
    typical = median(gaps)
    nearest = min(_FREQUENCIES, key=lambda each: abs(typical - each.days))
    fitting = sum(abs(gap - nearest.days) <= nearest.give_or_take for gap in gaps)
    return nearest if fitting * 3 >= len(gaps) * 2 else None


def _stream(
    stream_id: str, rows: list[dict[str, Any]], frequency: _Frequency, today: date
) -> dict[str, Any]:
    last = rows[-1]
    expected = date.fromisoformat(last["date"]) + timedelta(days=frequency.days)
    is_active = today <= expected + timedelta(days=frequency.give_or_take)
    is_mature = len(rows) >= frequency.mature_after
    early: Status = "EARLY_DETECTION" if is_active else "TOMBSTONED"
    average = sum((Decimal(row["amount"]) for row in rows), Decimal(0)) / len(rows)
    return {
        "account_id": last["account_id"],
        "stream_id": stream_id,
        "category": None,
        "category_id": None,
        "description": last["name"],
        "merchant_name": last["merchant_name"],
        "personal_finance_category": last["personal_finance_category"],
        "first_date": rows[0]["date"],
        "last_date": last["date"],
        "predicted_next_date": expected.isoformat() if is_active else None,
        "frequency": frequency.name,
        "transaction_ids": [row["transaction_id"] for row in rows],
        "average_amount": _amount(last, average.quantize(_CENT)),
        "last_amount": _amount(last, last["amount"]),
        "is_active": is_active,
        "status": "MATURE" if is_mature else early,
        "is_user_modified": False,
    }


def _amount(row: dict[str, Any], amount: object) -> dict[str, Any]:
    return {
        "amount": amount,
        "iso_currency_code": row["iso_currency_code"],
        "unofficial_currency_code": row["unofficial_currency_code"],
    }
