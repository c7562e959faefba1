"""An Item's script of faults: its next calls meet the steps in order."""

from typing import Any

import pytest

from platypus_bank.receiver import until
from platypus_bank.testing import ControlError

ITEM_GET = "/item/get"
SYNC = "/transactions/sync"


def test_calls_meet_the_steps_in_order(api: Any, bank: Any) -> None:
    (access, item_id), (other, _) = api.item(), api.item()
    written = bank.control.fault_script(
        item_id,
        {"calls": 2},
        {"name": "rate_limit", "times": 2},
        {"calls": 1},
        {"name": "item_login_required"},
        {"error": {"error_type": "API_ERROR", "error_code": "ODD", "status": 500}},
    )
    assert [each.get("name", each.get("calls")) for each in written] == [
        2, "rate_limit", 1, "item_login_required", None,
    ]  # fmt: skip
    statuses = [api.sync(access).status for _ in range(8)]
    assert statuses == [200, 200, 429, 429, 200, 400, 500, 200]
    assert api.sync(other).status == 200
    assert bank.control.fault_steps(item_id) == []
    assert [each["fired"] for each in bank.control.faults()] == [2, 1, 1]


def test_steps_may_be_of_a_path(api: Any, bank: Any) -> None:
    """What does not concern a step passes it by."""
    access, item_id = api.item()
    bank.control.fault_script(
        item_id, {"calls": 1, "path": SYNC}, {"name": "planned_maintenance", "path": ITEM_GET}
    )
    paths = [ITEM_GET, SYNC, SYNC, ITEM_GET, ITEM_GET]
    statuses = [api.post(path, access_token=access).status for path in paths]
    assert statuses == [200, 200, 200, 503, 200]


def test_a_script_waits_for_its_page(api: Any, bank: Any, ledger: Any) -> None:
    access, item_id = api.item()
    bank.control.fault_script(
        item_id, {"name": "mutation_during_pagination", "page": 3}, {"name": "empty_body"}
    )
    api.post(ITEM_GET, access_token=access)
    second = api.sync(access, count=150)["next_cursor"]
    third = api.sync(access, second, count=150)["next_cursor"]
    assert api.sync(access, third, count=150)["error_type"] == "TRANSACTIONS_ERROR"
    with pytest.raises(ValueError, match="Expecting value"):
        api.sync(access)
    assert api.pull(access)[1] == ledger(item_id)


def test_a_script_goes_before_planted_faults_and_is_replaced(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    bank.control.fault(ITEM_GET, name="internal_server_error", times=0)
    bank.control.fault_script(item_id, {"name": "rate_limit", "times": 9})
    assert api.post(ITEM_GET, access_token=access).status == 429
    bank.control.fault_script(item_id, {"calls": 1}, {"name": "planned_maintenance"})
    assert [api.post(ITEM_GET, access_token=access).status for _ in range(3)] == [500, 503, 500]
    bank.control.fault_script(item_id, {"calls": 9})
    bank.control.clear_faults()
    assert bank.control.fault_steps(item_id) == []


def test_a_scripted_call_can_be_released(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    bank.control.fault_script(item_id, {"name": "slow", "seconds": 600})
    [fault] = bank.control.faults()
    bank.control.release(fault["fault_id"])
    assert api.post(ITEM_GET, access_token=access).status == 200
    until(lambda: bank.control.faults()[0]["fired"] == 1)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ({"calls": 0}, ">= 1"),
        ({"calls": 1, "name": "slow"}, "name"),
        ({"name": "webhook_late"}, "no fault of calls"),
        ({"name": "everything"}, "no fault of calls"),
        ({"name": "slow", "chance": 0.5}, "no chance"),
        ({"name": "slow", "times": 0}, "has an end"),
        ({"name": "slow", "item_id": "another"}, "its own Item"),
        ({"odd": 1}, "odd"),
    ],
)
def test_odd_steps_are_refused(api: Any, bank: Any, step: dict[str, Any], sentence: str) -> None:
    _, item_id = api.item()
    with pytest.raises(ControlError, match=sentence):
        bank.control.fault_script(item_id, step)
    with pytest.raises(ControlError) as refused:
        bank.control.fault_script("nobody", {"calls": 1})
    assert refused.value.status == 404
