"""The pages under /platypus: all they show, all they can do, and what they never show."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from html_page import Page, held_to_the_rules, send
from platypus_bank.inspection.actions import OF_ITEM
from platypus_bank.testing import Control
from platypus_bank.webhooks.firable import FIRABLE
from raw_plaid import Plaid

Look = Callable[..., Page]


@pytest.fixture
def look(bank: Any) -> Look:
    """Open the page of a world, or of one of its Items."""

    def opened(item_id: str = "", client_id: str = "some-client") -> Page:
        path = f"/platypus/pages/items/{item_id}" if item_id else "/platypus"
        return send(bank.url, f"{path}?client_id={client_id}")

    return opened


def test_worlds_are_listed(bank: Any) -> None:
    Control(bank.url, "somebody & <else>").settings()
    for path in ("/platypus", "/platypus/"):
        page = send(bank.url, path)
        held_to_the_rules(page)
        assert page.status == 200
        assert "somebody & <else>" in [each.text for each in page.tree.every("a")]
    [link] = [each for each in page.tree.every("a") if each.text == "somebody & <else>"]
    hers = send(bank.url, link.attributes["href"])
    held_to_the_rules(hers)
    assert hers.tree.every("h1")[0].text == "World of somebody & <else>"
    bank.control.end_world("somebody & <else>")


def test_looking_makes_no_world(bank: Any, look: Look) -> None:
    before = bank.control.worlds()
    for page in (look(client_id="nobody"), look("nobody"), look("any", client_id="nobody")):
        assert page.status == 404
        held_to_the_rules(page)
    assert bank.control.worlds() == before


def test_a_world_shows_what_happens_in_it(api: Any, bank: Any, look: Look, receiver: Any) -> None:
    access, item_id = api.item(webhook=receiver.url + "?key=hidden")
    api.pull(access)
    receiver.wait(2)
    bank.control.fault("/accounts/get", name="institution_down", after=1)
    bank.control.fault(name="webhook_late")
    page = look()
    held_to_the_rules(page)
    [row] = page.table("Items")
    assert row[0].startswith("First Platypus Bank")
    assert row[1:] == ["healthy", "14", "user_good", item_id]
    newest = page.table("The last calls")[0]
    assert [*newest[:3], newest[4]] == ["/transactions/sync", "200", "", item_id]
    sent = page.table("The last webhooks")
    assert {each[0] for each in sent} >= {"TRANSACTIONS INITIAL_UPDATE"}
    assert {each[1] for each in sent} == {"delivered"}
    assert page.table("Faults of calls") == [["institution_down", "/accounts/get", "0", "1", "0"]]
    assert page.table("Trouble with webhooks")[0][:2] == ["webhook_late", "any"]
    page = page.press("Take all faults away").press("End all trouble with webhooks")
    assert page.told() == "All trouble has ended."
    assert bank.control.faults() == bank.control.troubles() == []


def test_the_clock_moves(bank: Any, look: Look) -> None:
    page = look()
    for button, moved in (("an hour", 3600), ("a day", 86_400), ("30 days", 2_592_000)):
        before = bank.control.clock()["offset_seconds"]
        page = page.press(f"Advance {button}")
        assert page.status == 200
        assert bank.control.clock()["offset_seconds"] - before == moved
    page = page.press("Stop the clock")
    assert bank.control.clock()["stands"]
    assert "stands still" in page.tree.every("main")[0].text
    page.press("Start the clock")
    assert not bank.control.clock()["stands"]
    for seconds in ("-1", "soon", "9" * 400):
        refused = page.press("Advance a day", seconds=seconds)
        assert (refused.status, refused.told()[:18]) == (400, "Say by how many se")


def test_an_item_shows_what_it_is(api: Any, look: Look) -> None:
    access, item_id = api.item("transactions", "auth")
    assert "None has come in yet" in look(item_id).html
    api.pull(access)
    page = look(item_id)
    held_to_the_rules(page)
    rows = page.table("The latest 20 of 388")
    assert len(rows) == 20
    assert rows == sorted(rows, key=lambda each: each[2], reverse=True)
    accounts = page.table("All accounts")
    assert len(accounts) == 14
    assert accounts[0][:3] == ["Plaid Checking", "110 USD", "100 USD"]
    assert accounts[0][3:] == ["0000", "checking", "shared"]
    called = {each[0] for each in page.table("The last calls")}
    assert called == {"/item/public_token/exchange", "/transactions/sync"}


def test_a_transaction_is_added(api: Any, look: Look) -> None:
    access, item_id = api.item()
    cursor, _ = api.pull(access)
    typed = {"name": "<b>Coffee</b> & cake", "amount": "1234.50", "pending": "on"}
    page = look(item_id).press("Add the transaction", **typed)
    assert page.told() == "The transaction has been added."
    [name, amount, _, *where] = page.table("The latest")[0]
    assert (name, amount) == ("<b>Coffee</b> & cake", "1,234.50 USD")
    assert where == ["Plaid Checking", "pending"]
    [added] = api.sync(access, cursor)["added"]
    assert (added["name"], str(added["amount"])) == ("<b>Coffee</b> & cake", "1234.50")
    assert added["pending"]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"name": " ", "amount": "1"}, "Give the transaction a name"),
        ({"name": "Tea", "amount": "a lot"}, "The amount must be a number"),
        ({"name": "Tea", "amount": "1e999999999"}, "The amount must be a number"),
        ({"name": "Tea", "amount": "1", "date": "some day"}, "The date must be a day"),
        ({"name": "Tea", "amount": "1", "account_id": "mine"}, "Choose an account"),
    ],
)
def test_a_refused_form_says_why_and_keeps_what_was_typed(
    api: Any, look: Look, typed: dict[str, str], reason: str
) -> None:
    access, item_id = api.item()
    cursor, _ = api.pull(access)
    page = look(item_id).press("Add the transaction", **typed)
    held_to_the_rules(page)
    assert page.status == 400
    assert page.told().startswith(reason)
    kept = {each.attributes.get("name"): each.attributes for each in page.tree.every("input")}
    assert kept["amount"]["value"] == typed["amount"]
    assert api.sync(access, cursor)["added"] == []


def test_an_account_of_another_item_is_refused(api: Any, look: Look) -> None:
    _, item_id = api.item()
    other, _ = api.item()
    foreign = api.post("/accounts/get", access_token=other)["accounts"][0]["account_id"]
    typed = {"name": "Tea", "amount": "1", "account_id": foreign}
    assert look(item_id).press("Add the transaction", **typed).status == 400


def test_a_login_breaks_and_is_repaired(api: Any, look: Look) -> None:
    access, item_id = api.item()
    page = look(item_id).press("Break the login")
    assert api.post("/accounts/get", access_token=access)["error_code"] == "ITEM_LOGIN_REQUIRED"
    assert "ITEM_LOGIN_REQUIRED" in look().table("Items")[0]
    page = page.press("Repair the login")
    assert api.post("/accounts/get", access_token=access).status == 200
    page = page.press("Break the login", error_code="ITEM_LOCKED")
    assert api.post("/accounts/get", access_token=access)["error_code"] == "ITEM_LOCKED"
    asked = page.press("Ask the bank again")
    assert (asked.status, asked.told()[:12]) == (400, "ITEM_LOCKED:")
    page = page.press("Repair the login").press("Break the login", error_code="ODD")
    assert "no error that lasts" in page.told().lower()


def test_a_webhook_is_fired(api: Any, look: Look, receiver: Any) -> None:
    _, item_id = api.item(webhook=receiver.url)
    receiver.wait(2)
    page = look(item_id)
    [select] = [each for each in page.tree.every("select") if each.attributes["id"] == "webhook"]
    assert len(select.every("option")) == sum(len(each) for each in FIRABLE.values())
    page = page.press("Fire the webhook", webhook="ITEM:NEW_ACCOUNTS_AVAILABLE")
    assert page.told() == "The webhook has been fired."
    assert receiver.wait(3)[-1].code == "NEW_ACCOUNTS_AVAILABLE"
    assert page.table("The last webhooks")[0][0] == "ITEM NEW_ACCOUNTS_AVAILABLE"
    refused = page.press("Fire the webhook", webhook="AUTH:DEFAULT_UPDATE")
    assert refused.told().startswith("SANDBOX_PRODUCT_NOT_ENABLED")
    assert page.press("Fire the webhook", webhook="nonsense").status == 400


def test_an_item_without_a_webhook_says_so(api: Any, look: Look) -> None:
    _, item_id = api.item()
    page = look(item_id).press("Fire the webhook", webhook="ITEM:NEW_ACCOUNTS_AVAILABLE")
    assert page.told().startswith("SANDBOX_WEBHOOK_INVALID")


def test_webhooks_are_held_and_released(bank: Any, look: Look, receiver: Any) -> None:
    page = look().press("Hold webhooks back")
    bank.control.send_webhook("a text", url=receiver.url)
    assert look().table("The last webhooks")[0][1].startswith("waiting")
    page.press("Send webhooks again")
    assert receiver.wait(1)[0].body == b"a text"


def test_the_bank_is_asked_again(api: Any, look: Look) -> None:
    access, item_id = api.item(override_username="user_transactions_dynamic")
    cursor, _ = api.pull(access)
    page = look(item_id).press("Ask the bank again")
    assert page.told() == "The bank has been asked again."
    assert len(api.sync(access, cursor)["added"]) == 8  # four that posted, four new ones
    assert "pending" in {each[4] for each in page.table("The latest")}


def test_a_script_of_faults_is_shown(api: Any, bank: Any, look: Look) -> None:
    _, item_id = api.item()
    bank.control.fault_script(item_id, {"calls": 2}, {"name": "rate_limit"})
    bank.control.fault(name="slow", item_id=item_id)
    bank.control.fault(name="timeout", item_id="another")
    page = look(item_id)
    assert page.table("Faults of calls") == [["slow", "those of its name", "0", "1", "0"]]
    assert len(look().table("Faults of calls")) == 3
    held_to_the_rules(page)
    steps = [each.text for each in page.tree.every("ol")[0].every("li")]
    assert steps == ["2 calls pass", "rate_limit"]


def test_no_page_shows_a_token_or_a_secret(api: Any, bank: Any, look: Look, receiver: Any) -> None:
    """Nor what webhooks of Link carry, nor where a receiver's own key stands in its URL."""
    hook = receiver.url.replace("http://", "http://me:word@") + "/hook?key=hidden"
    token = api.link_token(hosted_link={}, webhook=hook)
    public_token = bank.control.complete_link(token)["public_token"]
    told = api.post("/item/public_token/exchange", public_token=public_token)
    api.pull(told["access_token"])
    pages = look(), look(told["item_id"])
    assert len(pages[0].table("The last webhooks")) >= 2
    for page in pages:
        for secret in (token, public_token, told["access_token"], "hidden", "word@", "some-secret"):
            assert secret not in page.html
        assert not re.search(r"(access|public|link)-sandbox", page.html)


def test_looking_changes_nothing(api: Any, bank: Any, look: Look) -> None:
    """No history comes in and no id is taken, so that a test goes on as if nobody had looked."""

    def lived(*, seen: bool) -> Any:
        bank.control.reset(stands_at="2026-01-05T09:00:00Z")
        _, item_id = api.item(override_username="user_living")
        bank.control.advance(20 * 86_400)
        if seen:
            look(), look(item_id)
        return bank.control.items(), api.link_token(), bank.control.ledger(item_id)

    assert lived(seen=True) == lived(seen=False)


def test_an_item_of_odd_fields_is_shown(api: Any, bank: Any, look: Look) -> None:
    """The control API keeps what a test put there, however odd."""
    _, item_id = api.item()
    [account] = bank.control.accounts(
        item_id, upsert=[{"name": None, "balances": {"current": "much", "available": None}}]
    )["accounts"][-1:]
    odd = {"account_id": account["account_id"], "amount": None, "name": ["odd"], "pending": "so"}
    bank.control.changes(item_id, added=[odd])
    page = look(item_id)
    assert page.status == 200
    held_to_the_rules(page)


def test_a_removed_item_is_still_shown(api: Any, look: Look) -> None:
    access, item_id = api.item()
    api.post("/item/remove", access_token=access)
    assert look().table("Items")[0][1] == "removed"
    page = look(item_id)
    assert page.status == 200
    assert page.press("Ask the bank again").told().startswith("ITEM_NOT_FOUND")


def test_a_website_cannot_send_the_forms(api: Any, bank: Any) -> None:
    """Tested for the control API in test_gate; the pages stand behind the same gate."""
    _, item_id = api.item()
    plaid = Plaid(bank, {"Origin": "https://evil.example"})
    for form in OF_ITEM:
        path = f"/platypus/pages/items/{item_id}/{form}?client_id=some-client"
        assert plaid.send(path, b"").status == 403
    [item] = bank.control.items()
    assert item["error_code"] is None
