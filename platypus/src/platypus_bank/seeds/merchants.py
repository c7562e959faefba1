"""The shops that the Sandbox's people go to, and what Plaid takes their purchases for."""

from typing import NamedTuple


class Merchant(NamedTuple):
    """A shop, with the two halves of its personal finance category."""

    name: str
    primary: str
    detail: str


SHOPS = (
    Merchant("Blue Bottle Coffee", "FOOD_AND_DRINK", "COFFEE"),
    Merchant("Trader Joe's", "FOOD_AND_DRINK", "GROCERIES"),
    Merchant("Lyft", "TRANSPORTATION", "TAXIS_AND_RIDE_SHARES"),
    Merchant("Netflix", "ENTERTAINMENT", "TV_AND_MOVIES"),
    Merchant("Walgreens", "MEDICAL", "PHARMACIES_AND_SUPPLEMENTS"),
    Merchant("Shell", "TRANSPORTATION", "GAS"),
)
_OTHERS = (
    Merchant("Uber", "TRANSPORTATION", "TAXIS_AND_RIDE_SHARES"),
    Merchant("United Airlines", "TRAVEL", "FLIGHTS"),
    Merchant("McDonald's", "FOOD_AND_DRINK", "FAST_FOOD"),
    Merchant("Starbucks", "FOOD_AND_DRINK", "COFFEE"),
    Merchant("SparkFun", "GENERAL_MERCHANDISE", "ELECTRONICS"),
    Merchant("Touchstone Climbing", "PERSONAL_CARE", "GYMS_AND_FITNESS_CENTERS"),
    Merchant("Tectra Inc", "GENERAL_MERCHANDISE", "OFFICE_SUPPLIES"),
    Merchant("KFC", "FOOD_AND_DRINK", "FAST_FOOD"),
    Merchant("Madison Bicycle Shop", "GENERAL_MERCHANDISE", "SPORTING_GOODS"),
)


def recognise(description: str) -> Merchant | None:
    """Return the shop whose name a bank's description has in it, whatever the case."""
    text = description.casefold()
    return next((each for each in (*SHOPS, *_OTHERS) if each.name.casefold() in text), None)
