"""POST /platypus/items: many people link their banks at once, for those who measure."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from platypus_bank.control.door import Action, Knock
from platypus_bank.living.person import PREFIX
from platypus_bank.opening import Login, Terms, issue_access_token, open_item
from platypus_bank.products import check_products
from platypus_bank.records import DEFAULT_DAYS_REQUESTED
from platypus_bank.seeds.people import GOOD_PASSWORD

MAX_CROWD = 20_000
PLACE = "{}"


class Crowd(Struct, kw_only=True, forbid_unknown_fields=True):
    """How many log in, as whom ("{}" in the name is each one's number), and what the client asks for."""

    count: Annotated[int, Meta(ge=1, le=MAX_CROWD)]
    username: str = f"{PREFIX}_{PLACE}"
    password: str = GOOD_PASSWORD
    institution_id: str = "ins_109508"
    products: list[str] = field(default_factory=lambda: ["transactions"])
    days_requested: Annotated[int, Meta(ge=1, le=730)] = DEFAULT_DAYS_REQUESTED
    webhook: str | None = None


def link_crowd(knock: Knock) -> dict[str, Any]:
    """Open that many Items and return their tokens, as if each had been linked and exchanged."""
    wanted = knock.read(Crowd)
    check_products(wanted.products)
    return {"items": [_link(knock, wanted, place) for place in range(wanted.count)]}


def _link(knock: Knock, wanted: Crowd, place: int) -> dict[str, str]:
    world = knock.service.world
    username = wanted.username.replace(PLACE, str(place))
    login = Login(institution_id=wanted.institution_id, username=username, password=wanted.password)
    terms = Terms(
        products=wanted.products, days_requested=wanted.days_requested, webhook=wanted.webhook
    )
    item = open_item(world, login, terms)
    return {"item_id": item.id, "access_token": issue_access_token(world, item.id)}


ACTIONS: dict[tuple[str, str], Action] = {("POST", "/items"): link_crowd}
