"""What a statement says of an account's month: its lines and two balances, in hundredths.

The bank keeps one balance, that of today; the others are reckoned back from it. All is rounded to
hundredths line by line, so that a statement adds up, and begins as the one before it ended.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from platypus_bank.money import money
from platypus_bank.records import Account, Item
from platypus_bank.statements import Month
from platypus_bank.world import World

LINES_MAX = 2_000  # a page holds some fifty; what is more stands in one line
_HUNDREDTH = Decimal("0.01")
_FOREVER = "9999-12-31"
# Generated rows lie unclosed (ledger.Row).
_JSON = "CAST(body AS TEXT) || CASE substr(body, -1) WHEN x'7D' THEN '' ELSE '}' END"
_ROWS = (
    "SELECT rowid AS place, date, {json} ->> '$.name' AS name,"
    " CAST(ROUND(100 * ({json} ->> '$.amount')) AS INTEGER) AS cents FROM transactions"
    " WHERE item = :item AND account_id = :account AND removed = 0 AND seq IS {seq}"
    " AND date BETWEEN :first AND :last AND COALESCE({json} ->> '$.pending', 0) = 0"
)
# In two halves, for each has an index of its own.
_POSTED = " UNION ALL ".join(
    _ROWS.format(json=f"({_JSON})", seq=each) for each in ("NOT NULL", "NULL")
)
LINES = f"SELECT date, name, cents FROM ({_POSTED}) ORDER BY date, place LIMIT {LINES_MAX}"  # noqa: S608 - constants
TOTAL = f"SELECT count(*), COALESCE(sum(cents), 0) FROM ({_POSTED})"  # noqa: S608 - constants


class Line(NamedTuple):
    """One line: what happened on a day, and by how much it changed the balance."""

    day: str
    text: str
    change: Decimal


class Passbook(NamedTuple):
    """An account's month: `opening` and the changes of all `lines` make `closing`."""

    opening: Decimal
    lines: list[Line]
    closing: Decimal


def passbook(world: World, item: Item, account: Account, month: Month) -> Passbook:
    """Return what a statement says: what has posted, whether or not Transactions has given it out.

    Money in raises the balance of a depository account, money out what is owed on a card.
    """
    sign = 1 if account.body["type"] == "credit" else -1
    bounds = {"item": item.number, "account": account.id}
    within = bounds | {
        "first": month.first_day().isoformat(),
        "last": month.last_day().isoformat(),
    }
    later = bounds | {"first": month.next().first_day().isoformat(), "last": _FOREVER}
    (_, since) = world.store.sql.execute(TOTAL, later).fetchone()
    (count, total) = world.store.sql.execute(TOTAL, within).fetchone()
    rows = world.store.sql.execute(LINES, within)
    lines = [Line(day, name or "", sign * money(cents)) for day, name, cents in rows]
    if count > len(lines):
        rest = sign * money(total) - sum(each.change for each in lines)
        lines.append(
            Line(month.last_day().isoformat(), f"{count - len(lines)} more transactions", rest)
        )
    closing = _now(account) - sign * money(since)
    return Passbook(closing - sign * money(total), lines, closing)


def _now(account: Account) -> Decimal:
    current = account.body["balances"]["current"]
    return Decimal(current or 0).quantize(_HUNDREDTH, ROUND_HALF_UP)
