"""One refusal of a well-formed call, and the states of the world that bring refusals about."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from msgspec import Struct, field

from documented_codes import TYPE_OF
from endpoint_calls import CALLS, filled
from households import ANOTHER_BANK, DYNAMIC, Household
from raw_plaid import Answer

Names = dict[str, str]
Given = Callable[[Household], AbstractContextManager[Names]]
UUID = "00000000-0000-4000-8000-000000000000"


def nothing(home: Household) -> AbstractContextManager[Names]:
    """Leave the world as it is."""
    del home
    return nullcontext({})


class Case(Struct, frozen=True, kw_only=True):
    """One refusal: the good call with `changes`, in a world as `given` makes it."""

    path: str
    code: str
    status: int = 400
    type: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    given: Given = nothing

    @property
    def error(self) -> tuple[int, str, str]:
        """The status, error_type and error_code of the refusal."""
        return self.status, self.type or TYPE_OF[self.code], self.code

    def answer(self, home: Household, more: Names | None = None) -> Answer:
        """Make the call; `more` names stand for what its world has besides."""
        with self.given(home) as given:
            names = {**given, **(more or {})}
            good = CALLS[self.path].body if self.path in CALLS else {}
            if "$access" in names:
                names = {"$dynamic": names["$access"], **names}
            body = filled({**good, **self.changes}, {**home.names, **names})
            return home.api.post(self.path, **body)


@contextmanager
def settings(home: Household, **changed: Any) -> Iterator[Names]:
    """Change settings, and back."""
    before = {name: home.control.settings()[name] for name in changed}
    home.control.settings(**changed)
    yield {}
    home.control.settings(**before)


def once(make: Callable[[Household], Names]) -> Given:
    """Have something that is made once in a world: no refusal changes it."""
    kept: dict[str, Names] = {}

    def given(home: Household) -> AbstractContextManager[Names]:
        client_id = home.api.headers["PLAID-CLIENT-ID"]
        if client_id not in kept:
            kept[client_id] = make(home)
        return nullcontext(kept[client_id])

    return given


def an_item(*products: str, **options: Any) -> Given:
    """Have another Item, of a person without surprises."""
    wanted = {"override_username": "user_good", "override_password": "pass_good", **options}
    return once(lambda home: {"$access": home.item(*products, **wanted)[0]})


def accounts_of(kind: str, subtype: str, product: str) -> Given:
    """Have an Item with one account, of this kind."""
    person = json.dumps({"override_accounts": [{"type": kind, "subtype": subtype}]})
    return an_item(product, override_username="user_custom", override_password=person)


@once
def a_removed_item(home: Household) -> Names:
    """Have an Item that is removed, with its public token."""
    public = home.public_token()
    access = home.api.post("/item/public_token/exchange", public_token=public)["access_token"]
    home.api.post("/item/remove", access_token=access)
    return {"$access": access, "$public": public}


@once
def a_revoked_item(home: Household) -> Names:
    """Have an Item whose person took their permission back for good."""
    access, item_id = home.item("transactions")
    home.control.revoke(item_id, update_mode=False)
    return {"$access": access}


@contextmanager
def an_old_public_token(home: Household) -> Iterator[Names]:
    """Have a public token that has expired."""
    with settings(home, public_token_seconds=0):
        yield {}


@once
def _a_spent_public_token(home: Household) -> Names:
    public = home.public_token()
    home.api.post("/item/public_token/exchange", public_token=public)
    return {"$public": public}


@contextmanager
def a_spent_public_token(home: Household) -> Iterator[Names]:
    """Have a public token that can be exchanged once, and was."""
    with _a_spent_public_token(home) as names, settings(home, exchange_mode="strict"):
        yield names


@once
def update_modes_public_token(home: Household) -> Names:
    """Have the public token that update mode hands back."""
    access, _ = home.item("transactions")
    token = home.api.link_token(access_token=access, products=None)
    done = home.control.complete_link(token, username=DYNAMIC, password="x")
    return {"$public": done["public_token"]}


@once
def a_strangers_cursor(home: Household) -> Names:
    """Have a cursor of another Item, and one of a loop that is void."""
    stranger, _ = home.item("transactions")
    other = home.api.sync(stranger, count=1)["next_cursor"]
    access, item_id = home.item("transactions")
    void = home.api.sync(access, count=1)["next_cursor"]
    home.control.changes(item_id, added=[{"amount": 1}])
    return {"$access": access, "$strangers": other, "$void": void}


def limited(path: str, scope: str) -> Given:
    """Let no call of an endpoint pass, for its `item` or for the `client`."""
    return lambda home: settings(home, rate_limits={path: {scope: 0}})


@once
def at_a_bank_that_is_down(home: Household) -> Names:
    """Have an Item of another bank, which is down from now on."""
    access, _ = home.item(institution=ANOTHER_BANK)
    home.control.institution_status(ANOTHER_BANK, "DOWN")
    return {"$access": access}


def broken(code: str) -> Given:
    """Have an Item that is in a lasting error."""

    @once
    def given(home: Household) -> Names:
        access, item_id = home.item("transactions")
        home.control.break_login(item_id, error_code=code)
        return {"$access": access}

    return given
