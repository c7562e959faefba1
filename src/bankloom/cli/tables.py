"""Shows accounts and transactions as tables; the one place that turns Plaid's sign round."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rich.table import Table

from bankloom.cli.shown import shown


def accounts_table(title: str, accounts: list[dict[str, Any]]) -> Table:
    """Return a table of `GET /plaid/accounts` rows."""
    table = Table(title=title, title_justify="left")
    for name in ("Account", "Mask", "Type"):
        table.add_column(name)
    for name in ("Balance", "Available"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in accounts:
        kind = row["subtype"] or row["type"]
        cells = (
            row["name"],
            row["mask"] or "",
            kind,
            _amount(row["balance"]),
            _amount(row["available"]),
        )
        table.add_row(*(shown(cell) for cell in cells), row["currency"] or "")
    return table


def transactions_table(
    title: str, transactions: list[dict[str, Any]], accounts: list[dict[str, Any]]
) -> Table:
    """Return a table of `GET /plaid/transactions` rows: money out has a minus, money in a plus."""
    names = {row["account_id"]: row["name"] for row in accounts}
    table = Table(title=title, title_justify="left")
    for name in ("Date", "What", "Account"):
        table.add_column(name)
    table.add_column("In / out", justify="right")
    table.add_column("")
    for row in transactions:
        what = row["merchant_name"] or row["name"] or ""
        cells = (row["date"], what, names.get(row["account_id"], ""), _signed(row["amount"]))
        table.add_row(*(shown(cell) for cell in cells), "pending" if row["pending"] else "")
    return table


def _amount(value: Decimal | int | None) -> str:
    return "" if value is None else f"{_at_least_cents(value):,f}"


def _signed(value: Decimal | int) -> str:
    return f"{_at_least_cents(-value):+,f}"


def _at_least_cents(value: Decimal | int) -> Decimal:
    """Show two decimals, and more where there are more: no digit is rounded away."""
    exact = Decimal(value)
    places = -int(exact.as_tuple().exponent)
    return exact.quantize(Decimal("0.01")) if places < 2 else exact  # noqa: PLR2004 - cents
