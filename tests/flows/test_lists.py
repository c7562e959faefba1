"""The lists: every field, exact digits, each filter, stable pages, and nobody else's money."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bankloom.models import ApiKey, User
from scenes import (
    assert_equals_ledger,
    bank_account,
    days_ago,
    exchange,
    linked,
    newcomer,
    person,
    purchases,
    stored,
)

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

ACCOUNT_FIELDS = {
    "id",
    "name",
    "balance",
    "account_id",
    "item_id",
    "user_id",
    "institution",
    "mask",
    "official_name",
    "type",
    "subtype",
    "available",
    "limit",
    "currency",
    "updated_at",
}
TRANSACTION_FIELDS = {
    "account_id",
    "account_owner",
    "amount",
    "authorized_date",
    "authorized_datetime",
    "category",
    "category_id",
    "check_number",
    "client_customization",
    "counterparties",
    "date",
    "datetime",
    "iso_currency_code",
    "location",
    "logo_url",
    "merchant_category_code",
    "merchant_entity_id",
    "merchant_name",
    "name",
    "original_description",
    "payment_channel",
    "payment_meta",
    "pending",
    "pending_transaction_id",
    "personal_finance_category",
    "personal_finance_category_icon_url",
    "transaction_code",
    "transaction_id",
    "transaction_type",
    "unofficial_currency_code",
    "website",
}


def test_every_field_of_an_account(api: Api, bank: Running) -> None:
    """All documented fields stand on every account, with Plaid's values."""
    item_id = linked(
        api,
        bank,
        **person(
            bank_account(
                "Everyday",
                "4242",
                starting_balance=100,
                force_available_balance=90,
                currency="EUR",
                meta={"official_name": "Everyday Banking", "limit": 500},
            )
        ),
    )
    (account,) = api.accounts()
    (theirs,) = bank.control.ledger(item_id)["accounts"]
    assert account.keys() == ACCOUNT_FIELDS
    expected = {
        "name": "Everyday",
        "balance": 100,
        "account_id": theirs["account_id"],
        "item_id": item_id,
        "user_id": "ada",
        "institution": "First Platypus Bank",
        "mask": "4242",
        "official_name": "Everyday Banking",
        "type": "depository",
        "subtype": "checking",
        "available": 90,
        "limit": 500,
        "currency": "EUR",
    }
    assert {name: account[name] for name in expected} == expected


def test_two_accounts_of_one_name_stay_two(api: Api, bank: Running) -> None:
    """Accounts are told apart by their ids, never by name or mask."""
    twins = [bank_account("Checking", "0001", starting_balance=each) for each in (1, 2)]
    item_id = linked(api, bank, **person(*twins))
    ids = [row["account_id"] for row in bank.control.ledger(item_id)["accounts"]]
    bank.control.changes(item_id, added=[{"account_id": ids[0]}, {"account_id": ids[1]}])
    api.sync(item_id)
    assert sorted(row["balance"] for row in api.accounts()) == [1, 2]
    assert len({row["id"] for row in api.accounts()}) == 2
    assert [len(stored(api, account_id=each)) for each in ids] == [1, 1]


def test_money_keeps_its_digits(api: Api, bank: Running) -> None:
    """Overdrawn and sub-cent amounts leave as JSON numbers with the digits that came in."""
    balances = ["-12.30", "342.099285", "23631.9805", "0.10", "12345678901234567890.12"]
    login = json.dumps({"override_accounts": [bank_account(mask=f"000{n}") for n in range(5)]})
    item_id = linked(api, bank, username="user_custom", password=login)
    ids = [row["account_id"] for row in bank.control.ledger(item_id)["accounts"]]
    for account_id, balance in zip(ids, balances, strict=True):
        _raw_control(bank, item_id, "accounts", _ACCOUNT % (account_id, balance, balance))
    amounts = ["89.4000", "-0.005", "1234567.1234567", "100", "0.0"]
    added = ",".join(
        f'{{"transaction_id":"t{n}","amount":{each}}}' for n, each in enumerate(amounts)
    )
    _raw_control(bank, item_id, "changes", f'{{"added":[{added}]}}')
    assert api.sync(item_id)["transactions_synced"] == len(amounts)
    accounts = _exact(api.get("/plaid/accounts").text)
    assert [str(row["balance"]) for row in accounts] == balances
    assert [str(row["available"]) for row in accounts] == balances
    rows = _exact(api.get("/plaid/transactions").text)["transactions"]
    listed = {row["transaction_id"]: str(row["amount"]) for row in rows}
    assert [listed[f"t{number}"] for number in range(len(amounts))] == amounts


_ACCOUNT = '{"upsert":[{"account_id":"%s","balances":{"current":%s,"available":%s}}]}'


def _raw_control(bank: Running, item_id: str, what: str, body: str) -> None:
    answer = httpx.post(f"{bank.url}/platypus/items/{item_id}/{what}", content=body)
    assert answer.is_success, answer.text


def _exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def test_the_balance_falls_back_to_available(api: Api, bank: Running) -> None:
    """Where Plaid knows no current balance, `balance` is the available one."""
    item_id = linked(api, bank)
    (account,) = api.accounts()
    nothing = {"current": None, "available": 7.5}
    bank.control.accounts(
        item_id, upsert=[{"account_id": account["account_id"], "balances": nothing}]
    )
    api.sync(item_id)
    (account,) = api.accounts()
    assert (account["balance"], account["available"]) == (7.5, 7.5)


def test_every_field_of_a_transaction(api: Api, bank: Running) -> None:
    """Every documented field is there with Plaid's value, or null, and our lineage beside it."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"transaction_id": "t", "amount": 5, "check_number": "7"}])
    api.sync(item_id)
    row = stored(api)["t"]
    assert row.keys() >= TRANSACTION_FIELDS | {"lineage_id", "item_id", "user_id"}
    assert (row["check_number"], row["lineage_id"], row["user_id"]) == ("7", "t", "ada")
    assert "original_description" in row
    assert_equals_ledger(api, bank, item_id)


def test_tomorrows_fields_and_values_come_through(api: Api, bank: Running) -> None:
    """Values and fields that no document knows yet are kept and passed on."""
    account = {"account_id": "new", "name": "New", "type": "crypto", "subtype": "moon loan"}
    item_id = linked(api, bank)
    bank.control.accounts(item_id, upsert=[account])
    novelty = {
        "transaction_id": "t",
        "account_id": "new",
        "payment_channel": "telepathy",
        "transaction_code": "brand new",
        "running_balance": 12.25,
        "personal_finance_category": {"primary": "SPACE", "detailed": "SPACE_TRAVEL", "x": [1]},
        "carbon": {"grams": 5},
        "iso_currency_code": None,
        "unofficial_currency_code": "DOGE",
    }
    bank.control.script(item_id, [{"added": [novelty]}], "A_STATUS_OF_TOMORROW")
    assert api.sync(item_id)["status"] == "synced"
    row = stored(api)["t"]
    assert {name: row[name] for name in novelty} == novelty
    (listed,) = (each for each in api.accounts() if each["account_id"] == "new")
    assert (listed["type"], listed["subtype"]) == ("crypto", "moon loan")


@pytest.fixture
def shopper(api: Api, bank: Running) -> str:
    """An Item with two accounts and a handful of transactions, made to be filtered."""
    item_id = linked(api, bank, **person(bank_account(mask="0001"), bank_account(mask="0002")))
    first, second = (row["account_id"] for row in bank.control.ledger(item_id)["accounts"])
    coffee = {"primary": "FOOD", "detailed": "FOOD_COFFEE"}
    rows = [
        {"transaction_id": "a", "account_id": first, "date": "2026-01-01", "amount": -5},
        {"transaction_id": "b", "account_id": first, "date": "2026-01-02", "amount": 0.5},
        {"transaction_id": "c", "account_id": second, "date": "2026-01-02", "amount": 10},
        {"transaction_id": "d", "account_id": second, "date": "2026-01-03", "amount": 20},
    ]
    rows[1] |= {"pending": True, "name": "Kaffee 100% Büro_2"}
    rows[2] |= {"personal_finance_category": coffee, "merchant_name": "Blue Bottle"}
    bank.control.changes(item_id, added=rows)
    api.sync(item_id)
    return item_id


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "abcd"),
    ({"start_date": "2026-01-02"}, "bcd"),
    ({"end_date": "2026-01-02"}, "abc"),
    ({"start_date": "2026-01-02", "end_date": "2026-01-02"}, "bc"),
    ({"pending": "true"}, "b"),
    ({"pending": "false"}, "acd"),
    ({"personal_finance_category": "FOOD"}, "c"),
    ({"personal_finance_category": "FOOD_COFFEE"}, "c"),
    ({"personal_finance_category": "FOO"}, ""),
    ({"min_amount": "0.5"}, "bcd"),
    ({"max_amount": "0.5"}, "ab"),
    ({"min_amount": "0.51", "max_amount": "19.999"}, "c"),
    ({"q": "kaffee"}, "b"),
    ({"q": "100%"}, "b"),
    ({"q": "0% büro_"}, "b"),
    ({"q": "blue bottle"}, "c"),
    ({"q": "_"}, "b"),
    ({"user_id": "ada"}, "abcd"),
    ({"user_id": "*"}, "abcd"),
    ({"user_id": "nobody"}, ""),
]


def test_filters(api: Api, shopper: str) -> None:
    """Each filter narrows to just its rows, and the order is newest first whatever the filter."""
    assert shopper
    for filters, expected in FILTERS:
        rows = [row["transaction_id"] for row in api.transactions(**filters)]
        assert "".join(sorted(rows)) == expected, filters
        assert rows == sorted(rows, reverse=True), filters


def test_filters_by_what_is_not_there(api: Api, shopper: str) -> None:
    """An Item or account that is not here is told so: a misspelt id is no empty list."""
    for filters in ({"item_id": "nothing"}, {"account_id": "nothing"}):
        answer = api.get("/plaid/transactions", **filters)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    account = api.accounts(item_id=shopper)[0]["account_id"]
    assert api.get("/plaid/transactions", account_id=[account, "nothing"]).status_code == 404
    assert api.get("/plaid/accounts", item_id="nothing").status_code == 404


def test_filters_by_account_and_item(api: Api, bank: Running, shopper: str) -> None:
    """`account_id` may be repeated; `item_id` narrows both lists."""
    first, second = (row["account_id"] for row in bank.control.ledger(shopper)["accounts"])
    other = linked(api, bank, institution_id="ins_109509", **person())
    assert stored(api, account_id=first).keys() == {"a", "b"}
    assert stored(api, account_id=[first, second]).keys() == {"a", "b", "c", "d"}
    assert stored(api, item_id=shopper).keys() == {"a", "b", "c", "d"}
    assert stored(api, item_id=other) == {}
    assert {row["account_id"] for row in api.accounts(item_id=shopper)} == {first, second}
    assert len(api.accounts()) == 3


def test_pages_are_stable_while_rows_come_and_go(api: Api, bank: Running) -> None:
    """Rows that stay as they are are seen exactly once, whatever syncs do between the pages."""
    item_id = linked(api, bank)
    rows = [{"transaction_id": f"m{n:02}", "date": days_ago(10 + n // 4)} for n in range(20)]
    bank.control.changes(item_id, added=rows)
    api.sync(item_id)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for number in range(100):
        body = api.get("/plaid/transactions", limit=3, **cursor).json()
        seen += [row["transaction_id"] for row in body["transactions"]]
        assert len(body["transactions"]) <= 3
        if body["next_cursor"] is None:
            break
        cursor = {"cursor": body["next_cursor"]}
        newer = {"transaction_id": f"z{number}", "date": days_ago(0)}
        within = {"transaction_id": f"l{number}", "date": days_ago(12)}
        gone = [seen[-1]]
        bank.control.changes(item_id, added=[newer, within], removed=gone)
        api.sync(item_id)
    unchanged = [each for each in seen if each.startswith("m")]
    assert sorted(unchanged) == [row["transaction_id"] for row in rows]
    assert len(set(seen)) == len(seen)


def test_page_sizes_have_bounds(api: Api) -> None:
    """A page holds 1 to 500 rows."""
    for limit in ("0", "501", "-1", "x", ""):
        assert api.get("/plaid/transactions", limit=limit).status_code == 422, limit


def test_a_foreign_cursor_is_refused(api: Api) -> None:
    """A cursor that was not made here is told as such."""
    made_up = ["x", "AAAA", "MjAyNi0wMS0wMQ", "MjAyNi0xMy0wMSBhYmM", "ä", "\0", "====", "A" * 513]
    for cursor in made_up:
        answer = api.get("/plaid/transactions", cursor=cursor)
        assert answer.status_code == 422, cursor
        assert answer.json()["error"]["code"] == "invalid_request"


def test_everyones_transactions_are_one_list(api: Api, bank: Running) -> None:
    """`*` walks the rows of all people newest first, however they lie between each other."""
    for user, rows in (("ada", 3), ("grace", 9), ("edsger", 0)):
        linked(api, bank, user, **person(bank_account(transactions=purchases(rows))))
    each = [row for user in ("ada", "grace", "edsger") for row in api.transactions(user_id=user)]
    newest_first = sorted(each, key=lambda row: (row["date"], row["transaction_id"]), reverse=True)
    assert len(each) == 3 + 9
    for limit in (1, 2, 5, 500):
        assert api.transactions(user_id="*", limit=limit) == newest_first


def test_a_forgotten_filter_shows_nobodys_money(api: Api, bank: Running) -> None:
    """With two people stored, both lists demand user_id; `*` is everyone, and a name just that one."""
    items = {user: newcomer(api, bank, user, **person()) for user in ("ada", "grace")}
    for user, new in items.items():
        bank.control.changes(new.item_id, added=[{"transaction_id": f"{user}'s"}])
        assert exchange(api, new.public_token).is_success
        api.sync_until_complete(new.item_id)
    for path in ("/plaid/accounts", "/plaid/transactions"):
        refused = api.get(path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "user_id_required")
        assert api.get(path, item_id=items["ada"].item_id).status_code == 422
    for user in items:
        assert stored(api, user_id=user).keys() == {f"{user}'s"}
        assert {row["user_id"] for row in api.accounts(user_id=user)} == {user}
    assert stored(api, user_id="*").keys() == {"ada's", "grace's"}
    assert len(api.accounts(user_id="*")) == 2
    theirs = items["grace"].item_id
    assert stored(api, user_id="ada", item_id=theirs) == {}
    assert api.accounts(user_id="ada", item_id=theirs) == []
    assert api.accounts(user_id="nobody") == []


def test_a_persons_key_reaches_nobody_else(api: Api, runtime: Runtime, bank: Running) -> None:
    """With a key bound to one person, another's data, Items and runs are not there."""
    linked(api, bank, "ada")
    theirs = linked(api, bank, "grace")
    run = api.sync(theirs)["run_url"]
    with runtime.database.session() as session:
        key = ApiKey.create(session, "ada's app", User.get_or_create(session, "ada").id).text
    bound = type(api)(api.url, key)
    with bound.client:
        assert {row["user_id"] for row in bound.accounts()} == {"ada"}
        for asked in ("grace", "*", "nobody"):
            for path in ("accounts", "transactions", "items", "runs", "link-sessions"):
                assert bound.get(f"/plaid/{path}", user_id=asked).status_code == 404
        for path in ("accounts", "transactions", "items", "runs"):
            assert bound.get(f"/plaid/{path}", item_id=theirs).status_code == 404
        assert bound.post("/plaid/sync", item_id=theirs).status_code == 404
        assert bound.get(run).status_code == 404
    assert api.get(run).status_code == 200
