"""Faults of webhooks by name, and a client that survives them all."""

import base64
import json
from typing import Any

from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from platypus_bank.faults.catalogue import WEBHOOK_FAULTS
from platypus_bank.receiver import Received, until

SETTLED = {"delivered", "dropped", "given_up"}


def send(bank: Any, url: str, *codes: str) -> None:
    for code in codes:
        bank.control.send_webhook({"webhook_type": "ANY", "webhook_code": code}, url=url)


def key_of(api: Any, received: Received) -> dict[str, Any]:
    """Return the key that a webhook names, as Plaid's endpoint shows it."""
    head = received.verification[0].split(".")[0]
    kid = json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]
    key: dict[str, Any] = api.post("/webhook_verification_key/get", key_id=kid)["key"]
    return key


def is_good(api: Any, received: Received) -> bool:
    """Tell whether a correct receiver takes a webhook: well signed, with a key that lives."""
    key = key_of(api, received)
    try:
        jws.deserialize_compact(received.verification[0], ECKey.import_key(key), ["ES256"])
    except BadSignatureError:
        return False
    return key["expired_at"] is None


def test_each_has_a_test_of_its_own() -> None:
    tested = {name for name in globals() if name.startswith("test_webhook_")}
    assert {f"test_{name}" for name in WEBHOOK_FAULTS} == tested


def test_webhook_late(bank: Any, receiver: Any) -> None:
    bank.control.fault(name="webhook_late", webhook_code="A")
    send(bank, receiver.url, "A", "B")
    receiver.wait(1)
    assert bank.control.webhook_states().get("waiting") == 1
    bank.control.advance(599)
    assert receiver.codes() == ["B"]
    bank.control.advance(1)
    receiver.wait(2)


def test_webhook_doubled(api: Any, bank: Any, receiver: Any) -> None:
    bank.control.fault(name="webhook_doubled", times=2)
    send(bank, receiver.url, "A", "B", "C")
    receiver.wait(5)
    assert sorted(receiver.codes()) == ["A", "A", "B", "B", "C"]
    assert all(is_good(api, each) for each in receiver.received)


def test_webhook_reordered(bank: Any, receiver: Any) -> None:
    bank.control.fault(name="webhook_reordered", count=3)
    send(bank, receiver.url, "A", "B", "C")
    receiver.wait(3)
    assert receiver.codes() == ["C", "B", "A"]


def test_webhook_dropped(bank: Any, receiver: Any) -> None:
    bank.control.fault(name="webhook_dropped", after=1)
    send(bank, receiver.url, "A", "B", "C")
    until(lambda: bank.control.webhook_states() == {"delivered": 2, "dropped": 1})
    assert sorted(receiver.codes()) == ["A", "C"]


def test_webhook_badly_signed(api: Any, bank: Any, receiver: Any) -> None:
    trouble = bank.control.fault(name="webhook_badly_signed")
    send(bank, receiver.url, "A", "B")
    goods = {each.code: is_good(api, each) for each in receiver.wait(2)}
    assert goods == {"A": False, "B": True}
    [shown] = bank.control.troubles()
    assert (shown["trouble_id"], shown["name"], shown["fired"]) == (
        trouble, "webhook_badly_signed", 1,
    )  # fmt: skip


def test_webhook_rotated_key(api: Any, bank: Any, receiver: Any) -> None:
    """A good one, under a kid that no cache can know; the old key lives on."""
    [old] = bank.control.webhook_keys()
    bank.control.fault(name="webhook_rotated_key")
    send(bank, receiver.url, "A")
    [got] = receiver.wait(1)
    assert key_of(api, got)["kid"] != old["kid"]
    assert is_good(api, got)
    assert [each["expired_at"] for each in bank.control.webhook_keys()] == [None, None]


def test_webhook_expired_key(api: Any, bank: Any, receiver: Any) -> None:
    bank.control.fault(name="webhook_expired_key")
    send(bank, receiver.url, "A")
    [got] = receiver.wait(1)
    assert key_of(api, got)["expired_at"] is not None
    assert not is_good(api, got)


def test_an_items_webhooks_only(api: Any, bank: Any, receiver: Any) -> None:
    (_, mine), (_, other) = (api.item("auth", webhook=receiver.url) for _ in range(2))
    bank.control.fault(name="webhook_dropped", item_id=mine, times=0)
    bank.control.break_login(mine)
    bank.control.break_login(other)
    states = {each["item_id"]: each["state"] for each in bank.control.webhooks()}
    assert states[mine] == "dropped"
    assert states[other] != "dropped"


def troubled_life(api: Any, receiver: Any, ledger: Any) -> list[tuple[Any, ...]]:
    """Follow an Item by its webhooks through all trouble, ask once at the end; return the trouble."""
    bank = api.bank
    access, item_id = api.item(webhook=receiver.url)
    cursor, held = api.pull(access)
    receiver.received.clear()
    for name in WEBHOOK_FAULTS:
        bank.control.fault(name=name, chance=0.15)
    for _ in range(15):
        bank.control.changes(item_id, added=[{}])
    bank.control.clear_trouble()
    bank.control.advance(600)
    until(lambda: bank.control.webhook_states().keys() <= SETTLED)
    followed = [each for each in receiver.received if is_good(api, each)]
    assert len(followed) < len(receiver.received)
    for _ in followed:
        cursor, seen = api.pull(access, cursor)
        held |= seen
    held |= api.pull(access, cursor)[1]
    assert held == ledger(item_id)
    return [
        (each["webhook_code"], each["forge"], each["reason"]) for each in bank.control.webhooks()
    ]


def test_a_client_that_also_asks_survives_them_all(
    api: Any, receiver: Any, ledger: Any, begin: Any
) -> None:
    """It holds the ledger in the end, and the same seed brings the same trouble."""
    lives = []
    for seed in (3, 3, 4):
        begin(seed)
        lives.append(troubled_life(api, receiver, ledger))
    assert lives[0] == lives[1] != lives[2]
    assert {"bad_signature", "expired_key"} <= {forge for _, forge, _ in lives[0] + lives[2]}
    assert any(reason == "a trouble dropped it" for _, _, reason in lives[0])
