"""Planted faults."""

import threading
import time
import urllib.error
from collections.abc import Callable
from http.client import RemoteDisconnected
from typing import Any

import pytest

ITEM_GET = "/item/get"
DOWN = {"status": 500, "error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR"}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_error_fires_after_some_calls_and_so_often(api: Any, bank: Any) -> None:
    access, _ = api.item()
    fault = bank.control.fault(ITEM_GET, after=1, times=2, error=DOWN)
    answers = [api.post(ITEM_GET, access_token=access) for _ in range(4)]
    assert [each.status for each in answers] == [200, 500, 500, 200]
    assert answers[1]["error_code"] == "INTERNAL_SERVER_ERROR"
    [shown] = bank.control.faults()
    assert (shown["fault_id"], shown["fired"]) == (fault, 2)
    assert [each["status"] for each in bank.control.calls(ITEM_GET)] == [200, 500, 500, 200]


def test_a_fault_can_be_one_items(api: Any, bank: Any) -> None:
    (mine, item_id), (other, _) = api.item(), api.item()
    bank.control.fault("*", times=0, item_id=item_id, error=DOWN)
    assert api.post(ITEM_GET, access_token=other).status == 200
    assert api.post(ITEM_GET, access_token=mine).status == 500
    assert api.sync(mine).status == 500


@pytest.mark.parametrize("how", ["drop", "drop_after_effect"])
def test_a_dropped_answer_with_and_without_effect(api: Any, bank: Any, how: str) -> None:
    access, _ = api.item()
    bank.control.fault("/item/remove", **{how: True})
    with pytest.raises((RemoteDisconnected, ConnectionError, urllib.error.URLError)):
        api.post("/item/remove", access_token=access)
    removed = how == "drop_after_effect"
    assert bank.control.items()[0]["removed"] is removed
    assert bank.control.calls("/item/remove")[0]["status"] is None


def test_a_raw_body_replaces_the_answer(api: Any, bank: Any) -> None:
    access, _ = api.item()
    bank.control.fault(ITEM_GET, body='{"half": ')
    with pytest.raises(ValueError, match="Expecting value"):
        api.post(ITEM_GET, access_token=access)


def test_a_delay_delays(api: Any, bank: Any) -> None:
    access, _ = api.item()
    bank.control.fault(ITEM_GET, delay_seconds=0.3)
    started = time.monotonic()
    assert api.post(ITEM_GET, access_token=access).status == 200
    assert time.monotonic() - started >= 0.3


def test_held_calls_wait_until_released(api: Any, bank: Any) -> None:
    access, _ = api.item()
    fault = bank.control.fault(ITEM_GET, hold=True)
    answers: list[Any] = []
    caller = threading.Thread(
        target=lambda: answers.append(api.post(ITEM_GET, access_token=access))
    )
    caller.start()
    until(lambda: bank.control.faults()[0]["held"] == 1)
    assert api.post("/accounts/get", access_token=access).status == 200
    assert answers == []
    assert bank.control.release(fault) == 1
    caller.join(5)
    assert answers[0].status == 200


def test_clearing_faults_lets_held_calls_go(api: Any, bank: Any) -> None:
    access, _ = api.item()
    bank.control.fault(ITEM_GET, hold=True)
    caller = threading.Thread(target=lambda: api.post(ITEM_GET, access_token=access))
    caller.start()
    until(lambda: bank.control.faults()[0]["held"] == 1)
    bank.control.clear_faults()
    caller.join(5)
    assert not caller.is_alive()
    assert bank.control.faults() == []
