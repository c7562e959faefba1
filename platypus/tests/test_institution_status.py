"""Banks that go down for everybody, and come back."""

from typing import Any

import pytest

from platypus_bank.testing import ControlError

FIRST = "ins_109508"
DOWN = (400, "INSTITUTION_ERROR", "INSTITUTION_DOWN")


@pytest.fixture
def elsewhere(api: Any) -> str:
    """An Item at another bank: its access token."""
    made = api.post(
        "/sandbox/public_token/create",
        institution_id="ins_109511",
        initial_products=["transactions"],
    )
    answer = api.post("/item/public_token/exchange", public_token=made["public_token"])
    return str(answer["access_token"])


def shown(api: Any) -> dict[str, Any]:
    answer = api.post(
        "/institutions/get_by_id",
        institution_id=FIRST,
        country_codes=["US"],
        options={"include_status": True},
    )
    found: dict[str, Any] = answer["institution"]["status"]["item_logins"]
    return found


def test_a_bank_goes_down_for_its_items_only(api: Any, bank: Any, elsewhere: str) -> None:
    access, _ = api.item("transactions", "liabilities", "investments")
    bank.control.institution_status(FIRST, "DOWN")
    for path in ("/transactions/sync", "/accounts/get", "/liabilities/get"):
        refused = api.post(path, access_token=access)
        assert refused.error == DOWN
        assert refused["display_message"].startswith("This financial institution")
    assert api.post("/item/get", access_token=access)["item"]["error"] is None
    assert api.sync(elsewhere).status == 200
    bank.control.institution_status(FIRST, "HEALTHY")
    assert api.sync(access).status == 200


def test_link_fails_at_a_bank_that_is_down(api: Any, bank: Any) -> None:
    access, _ = api.item()
    bank.control.institution_status(FIRST, "DOWN")
    update = api.link_token(access_token=access, products=None)
    for token in (api.link_token(), update):
        with pytest.raises(ControlError) as refused:
            bank.control.complete_link(token)
        assert refused.value.body["error_code"] == "INSTITUTION_DOWN"
    bank.control.institution_status(FIRST, "DEGRADED")
    bank.control.complete_link(api.link_token())


def test_a_seeded_outage_can_end(api: Any, bank: Any) -> None:
    bank.control.institution_status("ins_132361", "HEALTHY")
    bank.control.complete_link(api.link_token(), institution_id="ins_132361")


@pytest.mark.parametrize(
    ("status", "success", "interval"), [("DEGRADED", "0.5", "DELAYED"), ("DOWN", "0", "STOPPED")]
)
def test_its_status_is_shown(api: Any, bank: Any, status: str, success: str, interval: str) -> None:
    before = shown(api)
    bank.control.advance(60)
    changed = bank.control.institution_status(FIRST, status)
    after = shown(api)
    assert (before["status"], after["status"]) == ("HEALTHY", status)
    assert after["last_status_change"] == changed["last_status_change"]
    assert after["last_status_change"] > before["last_status_change"]
    assert str(after["breakdown"]["success"]) == success
    assert after["breakdown"]["refresh_interval"] == interval
    assert {"institution_id": FIRST, **changed} in bank.control.institutions()


def test_what_happened_meanwhile_is_told_afterwards(api: Any, bank: Any, receiver: Any) -> None:
    access, item_id = api.item(webhook=receiver.url)
    cursor, _ = api.pull(access)
    receiver.wait(2)
    receiver.received.clear()
    bank.control.institution_status(FIRST, "DOWN")
    bank.control.changes(item_id, added=[{"name": "Unseen"}])
    assert [each["webhook_code"] for each in bank.control.webhooks()[2:]] == []
    bank.control.institution_status(FIRST, "HEALTHY")
    assert {each.code for each in receiver.wait(2)} == {"DEFAULT_UPDATE", "SYNC_UPDATES_AVAILABLE"}
    assert [row["name"] for row in api.sync(access, cursor)["added"]] == ["Unseen"]


@pytest.mark.parametrize(
    ("institution_id", "status"), [(FIRST, "BROKEN"), (FIRST, None), ("ins_nobody", "DOWN")]
)
def test_refusals(bank: Any, institution_id: str, status: Any) -> None:
    with pytest.raises(ControlError) as refused:
        bank.control.institution_status(institution_id, status)
    assert refused.value.status == 400
