"""A world of its own with everything in it that a call of any endpoint can be about."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from platypus_bank.testing import Control, Running
from raw_plaid import KEYS, Plaid

PRODUCTS = (
    "transactions", "auth", "identity", "investments", "investments_auth", "liabilities",
    "statements",
)  # fmt: skip
STATEMENTS = {"start_date": "2026-01-01", "end_date": "2026-06-01"}
DYNAMIC = "user_transactions_dynamic"
ANOTHER_BANK = "ins_109511"
GOOD = {"override_username": "user_good", "override_password": "pass_good"}
NOWHERE = "http://127.0.0.1:9/"


@dataclass
class Household:
    """One client's world: its control, its Item with every product, and what the `$…` stand for.

    The Item is `user_good`'s; `$dynamic` is the access token of one of the dynamic user.
    """

    api: Plaid
    control: Control
    item_id: str = ""
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, process: Running, client_id: str) -> "Household":
        """Begin a client's world at an instant, with history there at once and webhooks held."""
        control = Control(process.url, client_id)
        control.reset(1, "2026-06-15T12:00:00Z")
        control.settings(initial_update_seconds=0, historical_update_seconds=0, login_days=None)
        control.hold_webhooks()
        api = Plaid(process, {**KEYS, "PLAID-CLIENT-ID": client_id})
        made = cls(api, control)
        made._furnish()
        return made

    def _furnish(self) -> None:
        access, self.item_id = self.item(**GOOD)
        statements = self.api.post("/statements/list", access_token=access)["accounts"]
        accounts = self.api.post("/accounts/get", access_token=access)["accounts"]
        self.names = {
            "$access": access,
            "$dynamic": self.item()[0],
            "$account": accounts[0]["account_id"],
            "$statement": statements[0]["statements"][0]["statement_id"],
            "$link": self.api.link_token(),
            "$public": self.public_token(),
            "$key": self.control.rotate_key(),
            "$today": self.control.clock()["today"],
        }

    def item(self, *products: str, **options: Any) -> tuple[str, str]:
        """Open an Item of the dynamic user with these products, or all: (access_token, item_id).

        `institution` is its bank, First Platypus Bank unless given.
        """
        wanted = {
            "override_username": DYNAMIC,
            "override_password": "x",
            "webhook": NOWHERE,
            "statements": STATEMENTS,
        }
        return self.api.item(*(products or PRODUCTS), **{**wanted, **options})

    def public_token(self) -> str:
        """Make a public token that nobody has exchanged."""
        made = self.api.post(
            "/sandbox/public_token/create",
            institution_id="ins_109508",
            initial_products=["transactions"],
        )
        return str(made["public_token"])

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """See to it that nothing changes in the world: no Item, account, row, debt or portfolio."""
        before = self.state()
        yield
        assert self.state() == before

    def state(self) -> tuple[Any, Any]:
        """Return what the world holds."""
        return self.control.call("GET", "/ledger"), self.control.items()
