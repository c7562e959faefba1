"""The Sandbox's own institutions (https://plaid.com/docs/sandbox/institutions/)."""

from typing import Literal

from msgspec import Struct

from platypus_bank.errors import InvalidInstitution

Health = Literal["HEALTHY", "DEGRADED", "DOWN"]
_BALANCE_PRODUCTS = ("assets", "auth", "balance", "identity", "signal", "transfer")
_GB_PRODUCTS = (
    "assets", "auth", "balance", "identity", "payment_initiation", "standing_orders",
    "transactions",
)  # fmt: skip
_CA_PRODUCTS = (
    "assets", "auth", "balance", "identity", "investments", "liabilities",
    "recurring_transactions", "transactions", "transactions_refresh",
)  # fmt: skip
_US_PRODUCTS = (*_CA_PRODUCTS, "investments_auth", "signal", "statements", "transfer")


class Institution(Struct, frozen=True):
    """One bank. Colours, routing numbers and web addresses are the emulator's own."""

    institution_id: str
    name: str
    products: tuple[str, ...] = _US_PRODUCTS
    country_codes: tuple[str, ...] = ("US",)
    oauth: bool = False
    primary_color: str = "#1f6f78"
    routing_numbers: tuple[str, ...] = ()
    health: Health = "HEALTHY"

    def named(self) -> dict[str, str]:
        """Return it as Link's callbacks and sessions name it."""
        return {"name": self.name, "institution_id": self.institution_id}


_INSTITUTIONS = [
    Institution("ins_109508", "First Platypus Bank", primary_color="#1f1f1f",
                routing_numbers=("110000000",)),
    Institution("ins_130016", "First Platypus Balance Bank", _BALANCE_PRODUCTS,
                primary_color="#2d3e50"),
    Institution("ins_109509", "First Gingham Credit Union", primary_color="#b5302a",
                routing_numbers=("110000001",)),
    Institution("ins_109510", "Tattersall Federal Credit Union", primary_color="#7a4b9d",
                routing_numbers=("110000002",)),
    Institution("ins_109511", "Tartan Bank", primary_color="#0b5d3b",
                routing_numbers=("110000003",)),
    Institution("ins_109512", "Houndstooth Bank", primary_color="#004966",
                routing_numbers=("011000138", "011200365", "011400495")),
    Institution("ins_43", "Tartan-Dominion Bank of Canada", _CA_PRODUCTS, ("CA",),
                primary_color="#a6192e"),
    Institution("ins_116834", "Flexible Platypus Open Banking", _GB_PRODUCTS, ("GB",), oauth=True,
                primary_color="#35516b"),
    Institution("ins_117650", "Royal Bank of Plaid", _GB_PRODUCTS, ("GB",),
                primary_color="#4b2e83"),
    Institution("ins_117181", "Flexible Platypus Open Banking (QR Code)", _GB_PRODUCTS, ("GB",),
                oauth=True, primary_color="#35516b"),
    Institution("ins_127287", "Platypus OAuth Bank", oauth=True, primary_color="#2a6f97"),
    Institution("ins_132241", "First Platypus OAuth App2App Bank", oauth=True,
                primary_color="#2a6f97"),
    Institution("ins_135858", "Windowpane Bank", primary_color="#5b7f95"),
    Institution("ins_132363", "Pikachu Bank - Unhealthy Degraded", primary_color="#c98b1b",
                health="DEGRADED"),
    Institution("ins_132361", "Unhealthy Platypus Bank - Down", primary_color="#8b1e1e",
                health="DOWN"),
    Institution("ins_133402", "Unsupported Platypus Bank", (), primary_color="#777777"),
    Institution("ins_133502", "Platypus Bank RUX Auth", primary_color="#3f5e5a"),
    Institution("ins_133503", "Platypus Bank RUX Match", primary_color="#3f5e5a"),
]  # fmt: skip
BY_ID = {each.institution_id: each for each in _INSTITUTIONS}


def institution(institution_id: str) -> Institution:
    """Return an institution; raises InvalidInstitution for an id nobody has."""
    found = BY_ID.get(institution_id)
    if found is None:
        raise InvalidInstitution
    return found


def search(
    country_codes: list[str],
    *,
    query: str = "",
    products: list[str] | None = None,
    oauth: bool | None = None,
) -> list[Institution]:
    """Return the institutions that match all conditions, in a stable order."""
    return [
        each
        for each in _INSTITUTIONS
        if set(country_codes) & set(each.country_codes)
        and query.casefold() in each.name.casefold()
        and set(products or ()) <= set(each.products)
        and oauth in (None, each.oauth)
    ]
