"""What a person can choose from in Link: banks, and the accounts of a login."""

from msgspec import Struct

from platypus_bank.exact_json import Number
from platypus_bank.opening import log_in, passes
from platypus_bank.records import Account, LinkToken, LinkWalk
from platypus_bank.seeds.blueprint import Account as KnownAccount
from platypus_bank.seeds.institutions import Institution, search
from platypus_bank.world import World


class Choice(Struct, frozen=True):
    """One account on the pane; `value` is what `Login.accounts` calls it."""

    value: str
    name: str
    mask: str | None
    subtype: str | None
    balance: Number | None
    ticked: bool


def institutions(token: LinkToken, walk: LinkWalk) -> list[Institution]:
    """Return the banks that match the search and support what the client asks for."""
    asked = token.request
    return search(asked["country_codes"], query=walk.query, products=asked["products"])


def accounts(world: World, token: LinkToken, walk: LinkWalk) -> list[Choice]:
    """Return the accounts that may be shared; raises what `log_in` raises."""
    if token.owner:
        return _of_item(world, token)
    known = log_in(world, walk.username, walk.password, walk.id)
    shown = [each for each in known if _passes(token, each.type, each.subtype)]
    masks = [each.mask for each in shown]
    return [_of_login(each, unique=masks.count(each.mask) == 1) for each in shown]


def _of_item(world: World, token: LinkToken) -> list[Choice]:
    return [
        Choice(
            value=each.id,
            name=each.body["name"],
            mask=each.body["mask"],
            subtype=each.body["subtype"],
            balance=each.body["balances"]["current"],
            ticked=each.open,
        )
        for each in world.store.of(Account, token.owner)
        if _passes(token, each.body["type"], each.body["subtype"])
    ]


def _of_login(account: KnownAccount, *, unique: bool) -> Choice:
    return Choice(
        value=account.mask if account.mask and unique else account.name,
        name=account.name,
        mask=account.mask,
        subtype=account.subtype,
        balance=account.current,
        ticked=True,
    )


def _passes(token: LinkToken, type_: str, subtype: str | None) -> bool:
    return passes(token.request["account_filters"], type_, subtype)
