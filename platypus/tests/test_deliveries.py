"""Deliveries of webhooks: tried until taken, on Plaid's schedule, through crashes and trouble."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from platypus_bank.receiver import receiving, until
from platypus_bank.testing import ControlError, running
from platypus_bank.webhooks.retries import seconds_of

BODY = {"webhook_type": "ANY", "webhook_code": "THING"}
DOCUMENTED_DELAYS_SECONDS = [30, 120, 480, 1920, 7680, 30_720]


def only(bank: Any) -> dict[str, Any]:
    [delivery] = bank.control.webhooks()
    found: dict[str, Any] = delivery
    return found


def tried(bank: Any, times: int) -> dict[str, Any]:
    until(lambda: len(only(bank)["attempts"]) >= times)
    return only(bank)


def test_a_webhook_is_delivered_and_remembered(bank: Any, receiver: Any) -> None:
    bank.control.send_webhook(BODY, url=receiver.url)
    shown = tried(bank, 1)
    assert (shown["state"], shown["webhook_code"], shown["url"]) == (
        "delivered", "THING", receiver.url,
    )  # fmt: skip
    [attempt] = shown["attempts"]
    assert (attempt["status"], attempt["problem"]) == (200, None)
    assert [attempt["verification"]] == receiver.received[0].verification
    assert bank.control.webhook_states() == {"delivered": 1}


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 404, 500, 503])
def test_only_200_is_success(bank: Any, receiver: Any, status: int) -> None:
    """Nor is a redirect followed."""
    receiver.answers = [(status, {"Location": receiver.url + "/other"})]
    bank.control.send_webhook(BODY, url=receiver.url)
    shown = tried(bank, 1)
    assert (shown["state"], shown["attempts"][0]["status"]) == ("waiting", status)
    assert len(receiver.received) == 1


def test_the_documented_schedule_then_the_end(bank: Any, receiver: Any) -> None:
    """30 s, then always four times as long, for 24 h, by the world's clock; signed anew each time."""
    receiver.always = 500
    bank.control.send_webhook(BODY, url=receiver.url)
    for done, delay in enumerate(DOCUMENTED_DELAYS_SECONDS, 1):
        assert tried(bank, done)["state"] == "waiting"
        bank.control.advance(delay - 5)
        time.sleep(0.05)
        assert len(receiver.received) == done
        bank.control.advance(5)
    last = tried(bank, 7)
    assert (last["state"], last["reason"]) == ("given_up", "tried for 24 hours")
    assert len({each.verification[0] for each in receiver.received}) == 7
    assert len({each.body for each in receiver.received}) == 1


def test_a_retry_succeeds(bank: Any, receiver: Any) -> None:
    receiver.answers = [(500, {})]
    bank.control.send_webhook(BODY, url=receiver.url)
    tried(bank, 1)
    bank.control.advance(30)
    assert tried(bank, 2)["state"] == "delivered"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("300", 300), ("999999", 4 * 3600), (None, 30), ("soon", 30), ("0", 0)],
)
def test_retry_after_is_honoured_up_to_four_hours(
    bank: Any, receiver: Any, header: str | None, seconds: int
) -> None:
    receiver.answers = [(429, {} if header is None else {"Retry-After": header})]
    bank.control.send_webhook(BODY, url=receiver.url)
    tried(bank, 1)
    if seconds:
        bank.control.advance(seconds - 5)
        time.sleep(0.05)
        assert len(receiver.received) == 1
        bank.control.advance(5)
    assert tried(bank, 2)["state"] == "delivered"


def test_a_receiver_that_refuses_everything_is_left_alone(bank: Any, receiver: Any) -> None:
    """Over 90 % refused in 24 h: no retries, once ten were sent (ours)."""
    receiver.always = 500
    for _ in range(9):
        bank.control.send_webhook(BODY, url=receiver.url)
    receiver.wait(9)
    until(lambda: all(each["attempts"] for each in bank.control.webhooks()))
    assert bank.control.webhook_states() == {"waiting": 9}
    bank.control.send_webhook(BODY, url=receiver.url)
    until(lambda: bank.control.webhook_states() == {"waiting": 9, "given_up": 1})
    bank.control.settings(give_up_on_rejecting_receivers=False)
    bank.control.send_webhook(BODY, url=receiver.url)
    receiver.wait(11)
    until(lambda: bank.control.webhook_states() == {"waiting": 10, "given_up": 1})


def test_a_receiver_that_was_away_is_not_left_alone(bank: Any, receiver: Any) -> None:
    """No answer is no refusal."""
    bank.control.settings(webhook_timeout_seconds=0.2)
    receiver.delay_seconds = 0.6
    bank.control.send_webhook(BODY, url=receiver.url, count=12)
    until(lambda: all(each["attempts"] for each in bank.control.webhooks()))
    receiver.delay_seconds, receiver.always = 0, 500
    bank.control.send_webhook(BODY, url=receiver.url)
    until(lambda: bank.control.webhooks()[-1]["attempts"])
    assert bank.control.webhook_states() == {"waiting": 13}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0.5", 0.5),
        ("-5", 0),
        ("Wed, 01 Jul 2026 12:01:00 GMT", 60),
        ("2026-07-01T12:02:00Z", 120),
        ("2026-07-01T14:02:00+02:00", 120),
        ("Wed, 01 Jul 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_may_be_a_number_or_an_instant(
    header: str | None, seconds: float | None
) -> None:
    assert seconds_of(header, datetime(2026, 7, 1, 12, tzinfo=UTC)) == seconds


def test_no_answer_in_time_is_a_failure(bank: Any, receiver: Any) -> None:
    """10 s by default, here less."""
    assert bank.control.settings(webhook_timeout_seconds=0.2)["webhook_timeout_seconds"] == 0.2
    receiver.delay_seconds = 1
    bank.control.send_webhook(BODY, url=receiver.url)
    shown = tried(bank, 1)
    assert shown["state"] == "waiting"
    assert shown["attempts"][0] == shown["attempts"][0] | {
        "status": None, "problem": "no answer within 0.2 seconds",
    }  # fmt: skip


def test_nobody_there_is_a_failure(bank: Any) -> None:
    with receiving() as gone:
        pass
    bank.control.send_webhook(BODY, url=gone.url)
    shown = tried(bank, 1)
    assert shown["state"] == "waiting"
    assert shown["attempts"][0]["problem"].startswith("ConnectError")


def test_undelivered_webhooks_survive_a_crash(tmp_path: Any, receiver: Any) -> None:
    with running(tmp_path) as bank:
        bank.control.hold_webhooks()
        for place in range(20):
            bank.control.send_webhook(BODY | {"place": place}, url=receiver.url)
        bank.restart()
        assert bank.control.webhook_states() == {"waiting": 20}
        bank.control.release_webhooks()
        receiver.wait(20)
        assert {each.json["place"] for each in receiver.received} == set(range(20))
        until(lambda: bank.control.webhook_states() == {"delivered": 20})
        key = bank.control.webhook_keys()
        bank.restart()
        assert bank.control.webhook_keys() == key


def test_a_try_that_a_crash_cut_short_is_made_again(tmp_path: Any, receiver: Any) -> None:
    with running(tmp_path) as bank:
        receiver.delay_seconds = 0.5
        bank.control.send_webhook(BODY, url=receiver.url)
        receiver.wait(1)
        bank.restart()
        receiver.delay_seconds = 0
        receiver.wait(2)
        until(lambda: only(bank)["state"] == "delivered")


def test_it_stops_at_once_while_it_delivers(tmp_path: Any, receiver: Any) -> None:
    with running(tmp_path) as bank:
        receiver.delay_seconds = 3
        bank.control.send_webhook(BODY, url=receiver.url)
        receiver.wait(1)
        started = time.monotonic()
        assert bank.stop() == 0
        assert time.monotonic() - started < 2


def test_a_thousand_deliveries_in_seconds_beside_other_calls(
    api: Any, bank: Any, receiver: Any
) -> None:
    """The receiver shares this machine; a call that waited for all of them would show."""
    access, _ = api.item()
    bank.control.hold_webhooks()
    bank.control.send_webhook(BODY, url=receiver.url, count=1000)
    slowest, ended = 0.0, threading.Event()

    def call() -> None:
        nonlocal slowest
        while not ended.is_set():
            started = time.monotonic()
            assert api.post("/item/get", access_token=access).status == 200
            slowest = max(slowest, time.monotonic() - started)

    caller = threading.Thread(target=call)
    started = time.monotonic()
    bank.control.release_webhooks()
    caller.start()
    until(lambda: len(receiver.received) >= 1000, 30)
    took = time.monotonic() - started
    ended.set()
    caller.join()
    assert took < 15
    assert slowest < 1
    until(lambda: bank.control.webhook_states() == {"delivered": 1000})


def test_held_webhooks_pile_up(bank: Any, receiver: Any) -> None:
    bank.control.hold_webhooks()
    bank.control.send_webhook(BODY, url=receiver.url, count=3)
    time.sleep(0.05)
    assert receiver.received == []
    assert bank.control.release_webhooks() == {"waiting": 3}
    receiver.wait(3)


def named(bank: Any, url: str, *codes: str) -> None:
    for code in codes:
        bank.control.send_webhook(BODY | {"webhook_code": code}, url=url)


def test_trouble_delays(bank: Any, receiver: Any) -> None:
    bank.control.trouble({"webhook_code": "A"}, delay_seconds=600)
    named(bank, receiver.url, "A", "B", "A")
    receiver.wait(2)
    assert sorted(receiver.codes()) == ["A", "B"]
    bank.control.advance(600)
    receiver.wait(3)


def test_trouble_doubles_and_drops(bank: Any, receiver: Any) -> None:
    bank.control.trouble({"webhook_code": "A"}, times=2, double=True)
    bank.control.trouble({"webhook_code": "B"}, drop=True)
    named(bank, receiver.url, "A", "A", "A", "B", "B")
    receiver.wait(6)
    until(lambda: bank.control.webhook_states() == {"delivered": 6, "dropped": 1})
    assert sorted(receiver.codes()) == ["A"] * 5 + ["B"]
    assert len({each.verification[0] for each in receiver.received}) == 6
    assert [each["fired"] for each in bank.control.troubles()] == [2, 1]


def test_trouble_reverses(bank: Any, receiver: Any) -> None:
    """A slow first one, so that a sender that did not wait for it would show."""
    bank.control.trouble(reorder=3)
    receiver.delay_seconds = 0.1
    named(bank, receiver.url, "A", "B")
    assert bank.control.webhook_states() == {"held": 2}
    named(bank, receiver.url, "C")
    receiver.wait(3)
    assert receiver.codes() == ["C", "B", "A"]
    named(bank, receiver.url, "D")
    receiver.wait(4)


def test_ending_trouble_lets_go(bank: Any, receiver: Any) -> None:
    bank.control.trouble(reorder=3)
    named(bank, receiver.url, "A", "B")
    bank.control.clear_trouble()
    receiver.wait(2)
    assert receiver.codes() == ["B", "A"]
    assert bank.control.troubles() == []


def test_trouble_forges_once(bank: Any, receiver: Any) -> None:
    """A forger doesn't try again."""
    receiver.always = 401
    bank.control.trouble({"webhook_type": "ANY"}, after=1, forge="no_header")
    named(bank, receiver.url, "A", "B")
    until(lambda: bank.control.webhook_states() == {"waiting": 1, "given_up": 1})
    assert [each.verification for each in receiver.received if each.code == "B"] == [[]]
    assert bank.control.webhooks()[-1]["reason"] == "a forgery is sent once"


def test_trouble_survives_a_crash(tmp_path: Any, receiver: Any) -> None:
    with running(tmp_path) as bank:
        bank.control.trouble(reorder=2)
        named(bank, receiver.url, "A")
        bank.restart()
        named(bank, receiver.url, "B")
        receiver.wait(2)
        assert receiver.codes() == ["B", "A"]


def test_a_reset_forgets_deliveries_and_keys(bank: Any, receiver: Any) -> None:
    bank.control.send_webhook(BODY, url=receiver.url)
    tried(bank, 1)
    [before] = bank.control.webhook_keys()
    bank.control.reset()
    assert bank.control.webhooks() == []
    [after] = bank.control.webhook_keys()
    assert before["kid"] != after["kid"]


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        ("POST /webhooks/send", {"body": {}}, 400),
        ("POST /webhooks/send", {"url": "http://x.example/"}, 400),
        ("POST /webhooks/send", {"url": "x.example", "body": {}}, 400),
        ("POST /webhooks/send", {"url": "http://x.example/", "body": {}, "forge": "odd"}, 400),
        ("POST /webhooks/trouble", {"reorder": 1}, 400),
        ("POST /webhooks/trouble", {"match": {"code": "A"}}, 400),
        ("POST /webhooks/rotate_key", {"expire": True}, 400),
        ("GET /webhooks/deliveries/99999999", {}, 404),
        ("GET /webhooks/deliveries/x", {}, 404),
    ],
)
def test_refusals(bank: Any, call: str, body: dict[str, Any], status: int) -> None:
    method, path = call.split(" ")
    with pytest.raises(ControlError) as refused:
        bank.control.call(method, path, body)
    assert refused.value.status == status
    assert refused.value.body["error"]
