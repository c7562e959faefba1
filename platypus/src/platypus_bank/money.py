"""Money that is reckoned in hundredths."""

from decimal import Decimal


def money(cents: int) -> Decimal:
    """Return hundredths of a currency as Plaid writes an amount."""
    return Decimal(cents).scaleb(-2)
