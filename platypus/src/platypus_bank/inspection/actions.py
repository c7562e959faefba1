"""The forms of the pages: each is one control call, whose body is made of the form's fields."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from platypus_bank.control import faults, health, items, sandbox, webhooks, world
from platypus_bank.control.door import Action, Knock, RefusedError
from platypus_bank.records import Account
from platypus_bank.service import Service
from platypus_bank.world import World

Fields = Mapping[str, str]
_DIGITS_MAX = 9  # thirty years of seconds; beyond the year 9999 no clock can show
_AMOUNT = re.compile(r"-?\d{1,12}(\.\d{1,8})?")


class Sent(NamedTuple):
    """A form's fields as they came, and where they belong."""

    world: World
    item_id: str
    fields: Fields

    def field(self, name: str) -> str:
        """Return a field, "" where there is none."""
        return self.fields.get(name, "").strip()


class Form(NamedTuple):
    """What a form does, how its fields become the call's body, and what to say afterwards."""

    act: Action
    body: Callable[[Sent], dict[str, Any]]
    done: str


def submit(service: Service, form: Form, fields: Fields, item_id: str) -> None:
    """Do what a form asks for, as one commit; raises RefusedError or PlaidError."""
    knock = Knock(
        service=service,
        path={"item_id": item_id},
        query={},
        body=form.body(Sent(service.world, item_id, fields)),
    )
    with service.commit():
        form.act(knock)


def _nothing(_: Sent) -> dict[str, Any]:
    return {}


def _seconds(sent: Sent) -> dict[str, Any]:
    given = sent.field("seconds")
    if not given.isdecimal() or len(given) > _DIGITS_MAX:
        raise RefusedError("say by how many seconds to advance the clock")
    return {"seconds": int(given)}


def _transaction(sent: Sent) -> dict[str, Any]:
    """Return the one transaction to add, in the currency of its account."""
    account = sent.world.store.get(Account, sent.field("account_id"))
    if account is None or account.owner != sent.item_id:
        raise RefusedError("choose an account")
    added = {
        "account_id": account.id,
        "name": sent.field("name"),
        "amount": _amount(sent.field("amount")),
        "date": _day(sent.field("date")),
        "pending": "pending" in sent.fields,
        "iso_currency_code": account.body["balances"].get("iso_currency_code"),
        "unofficial_currency_code": account.body["balances"].get("unofficial_currency_code"),
    }
    if not added["name"]:
        raise RefusedError("give the transaction a name")
    return {"added": [added]}


def _amount(text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text):
        raise RefusedError("the amount must be a number such as 12.34 or -1000")
    return Decimal(text)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as problem:
        raise RefusedError("the date must be a day such as 2026-11-23") from problem


def _error_code(sent: Sent) -> dict[str, Any]:
    return {"error_code": sent.field("error_code")}


def _which_webhook(sent: Sent) -> dict[str, Any]:
    kind, _, code = sent.field("webhook").partition(":")
    return {"webhook_type": kind, "webhook_code": code}


OF_WORLD: dict[str, Form] = {
    "advance": Form(world.advance_clock, _seconds, "The clock has been advanced."),
    "stop": Form(world.stop_clock, _nothing, "The clock stands still."),
    "start": Form(world.start_clock, _nothing, "The clock goes on."),
    "clear_faults": Form(faults.clear, _nothing, "All faults have been taken away."),
    "end_trouble": Form(webhooks.end_trouble, _nothing, "All trouble has ended."),
    "hold": Form(webhooks.hold, _nothing, "Webhooks are held back."),
    "release": Form(webhooks.release, _nothing, "Webhooks are sent again."),
}
OF_ITEM: dict[str, Form] = {
    "add": Form(items.change, _transaction, "The transaction has been added."),
    "break": Form(health.break_login, _error_code, "The login is broken."),
    "repair": Form(health.repair, _nothing, "The login is repaired."),
    "fire": Form(sandbox.fire_webhook, _which_webhook, "The webhook has been fired."),
    "refresh": Form(sandbox.refresh, _nothing, "The bank has been asked again."),
}
