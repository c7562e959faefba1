"""What people buy, where, how often and for how much; and what comes every month."""

from typing import Literal, NamedTuple

from platypus_bank.living.person import Role
from platypus_bank.seeds.merchants import Merchant

Way = Literal["plain", "tip", "hold", "returns", "vanishes"]
"""How a purchase ends: as it began, with a tip on top, for another sum than was held for it, often
given back later, or not at all."""


class Habit(NamedTuple):
    """A kind of purchase: so often a week, from `low` to `high` cents, on which account."""

    name: str
    shops: tuple[Merchant, ...]
    a_week: float
    low: int
    high: int
    account: Role = "card"
    way: Way = "plain"
    channel: str = "in store"


class Bill(NamedTuple):
    """Something that comes every month; positive cents leave the account."""

    day: int
    label: str
    merchant: str | None
    category: tuple[str, str]
    account: Role
    cents: int
    wobble: float = 0.0  # so much of the sum changes from month to month


def _food(*names: str, detail: str) -> tuple[Merchant, ...]:
    return tuple(Merchant(each, "FOOD_AND_DRINK", detail) for each in names)


def _goods(detail: str, *names: str) -> tuple[Merchant, ...]:
    return tuple(Merchant(each, "GENERAL_MERCHANDISE", detail) for each in names)


HABITS = (
    Habit("groceries", _food("Trader Joe's", "Burrow Market", "Whole Larder", detail="GROCERIES"),
          1.8, 2200, 11500),
    Habit("coffee", _food("Blue Bottle Coffee", "Billabong Coffee", detail="COFFEE"),
          2.6, 380, 890, "checking"),
    Habit("dinner", _food("Duckbill Diner", "Webfoot Noodles", "Eucalypt Grill", detail="RESTAURANT"),
          1.5, 1800, 7400, way="tip"),
    Habit("rides", (Merchant("Lyft", "TRANSPORTATION", "TAXIS_AND_RIDE_SHARES"),),
          1.0, 900, 3400, channel="online"),
    Habit("gas", (Merchant("Shell", "TRANSPORTATION", "GAS"),), 0.8, 2800, 6300, way="hold"),
    Habit("things", (*_goods("ELECTRONICS", "SparkFun"), *_goods("ONLINE_MARKETPLACES", "Pouch")),
          0.8, 1500, 11800, way="returns", channel="online"),
    Habit("pharmacy", (Merchant("Walgreens", "MEDICAL", "PHARMACIES_AND_SUPPLEMENTS"),),
          0.3, 700, 4100, "checking"),
    Habit("hotel", (Merchant("Tartan Inn", "TRAVEL", "LODGING"),), 0.08, 14000, 28000, way="vanishes"),
    Habit("doubled", _food("Burrow Bakery", detail="OTHER_FOOD_AND_DRINK"), 0.12, 600, 2400),
)  # fmt: skip
ABROAD = (
    Habit("meals abroad", _food("Café de la Gare", "Gasthaus Schnabeltier", detail="RESTAURANT"),
          10.0, 1200, 5800, "euro"),
    Habit("trains abroad", (Merchant("Eisenbahn", "TRANSPORTATION", "PUBLIC_TRANSIT"),),
          4.0, 900, 7900, "euro", channel="online"),
)  # fmt: skip
BILLS = (
    Bill(5, "EASTERN POWER & LIGHT AUTOPAY", "Eastern Power & Light",
         ("RENT_AND_UTILITIES", "GAS_AND_ELECTRICITY"), "checking", 9800, 0.5),
    Bill(9, "CRICKET MOBILE 800-555", "Cricket Mobile", ("RENT_AND_UTILITIES", "TELEPHONE"),
         "checking", 5500),
    Bill(12, "BURROW BROADBAND", "Burrow Broadband",
         ("RENT_AND_UTILITIES", "INTERNET_AND_CABLE"), "checking", 6499),
    Bill(15, "NETFLIX.COM", "Netflix", ("ENTERTAINMENT", "TV_AND_MOVIES"), "card", 1549),
    Bill(18, "TOUCHSTONE CLIMBING", "Touchstone Climbing",
         ("PERSONAL_CARE", "GYMS_AND_FITNESS_CENTERS"), "card", 7850),
    Bill(20, "MUTUAL OF MALAKOFF INS PREM", "Mutual of Malakoff",
         ("GENERAL_SERVICES", "INSURANCE"), "checking", 14200),
)  # fmt: skip
