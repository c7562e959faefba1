"""Faults by name: each does what its entry in the catalogue, and so the README, says."""

import http.client
import json
import re
import time
from typing import Any

import pytest

from endpoint_calls import CALLS, filled
from platypus_bank.faults.asked import covers
from platypus_bank.faults.catalogue import CALL_FAULTS, is_survived
from platypus_bank.testing import ControlError
from stubborn import SYNC, knock, pull

ITEM_GET = "/item/get"
SAMPLES = (
    "/accounts/get", "/transactions/get", "/link/token/create", "/accounts/balance/get",
    "/sandbox/item/reset_login",
)  # fmt: skip
REFUSALS = {
    name: told.groups()
    for name, known in CALL_FAULTS.items()
    if (told := re.fullmatch(r"(\d{3}) `(\w+)`", known.does))
}
MUTATION = (400, "TRANSACTIONS_ERROR", "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION")


def observe(bank: Any, path: str, **body: Any) -> tuple[Any, ...]:
    """Tell what a client sees: closed, silent, or a status with a kind of body."""
    try:
        status, raw = knock(bank, path, 0.3, **body)
    except TimeoutError:
        return ("silent",)
    except (OSError, http.client.HTTPException):
        return ("closed",)
    try:
        found = json.loads(raw)
    except ValueError:
        return (status, raw)
    return (status, found.get("error_code"))


def test_nothing_is_without_a_promise() -> None:
    """What isn't a plain refusal has a test of its own below."""
    assert CALL_FAULTS.keys() - REFUSALS.keys() == {
        "rate_limit", "bad_gateway", "timeout", "slow", "dropped_connection", "lost_answer",
        "truncated_json", "invalid_json", "empty_body", "mutation_during_pagination",
        "foreign_cursor",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_a_refusal_is_plaids(api: Any, bank: Any, name: str) -> None:
    """Once, with the documented status, type and code, in Plaid's shape; then all is well."""
    access, _ = api.item("transactions", "liabilities")
    path = next(each for each in SAMPLES if any(covers(p, each) for p in CALL_FAULTS[name].paths))
    body = filled(CALLS[path].body, {"$access": access})
    bank.control.fault(name=name)
    if CALL_FAULTS[name].paths != ("*",):
        assert api.post(ITEM_GET, access_token=access).status == 200
    refused = api.post(path, **body)
    status, code = REFUSALS[name]
    assert (str(refused.status), refused["error_code"]) == (status, code)
    assert refused["error_message"]
    assert api.post(path, **body).status == 200
    [call] = [each for each in bank.control.calls() if each["fault"]]
    assert (call["fault"], call["path"], call["error_code"]) == (name, path, code)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (SYNC, "TRANSACTIONS_SYNC_LIMIT"),
        ("/accounts/balance/get", "BALANCE_LIMIT"),
        (ITEM_GET, "ITEM_GET_LIMIT"),
    ],
)
def test_a_rate_limit_is_the_endpoints(api: Any, bank: Any, path: str, code: str) -> None:
    access, _ = api.item()
    bank.control.fault(path, name="rate_limit", times=2)
    refused = [api.post(path, access_token=access).error for _ in range(2)]
    assert refused == [(429, "RATE_LIMIT_EXCEEDED", code)] * 2
    assert api.post(path, access_token=access).status == 200


@pytest.mark.parametrize(
    ("name", "seen", "happened"),
    [
        ("bad_gateway", (502, rb"<html>.*502 Bad Gateway.*"), False),
        ("dropped_connection", ("closed",), False),
        ("timeout", ("silent",), False),
        ("lost_answer", ("closed",), True),
        ("truncated_json", (200, rb'\{"[^}]*'), True),
        ("invalid_json", (200, rb"\{.*,\}"), True),
        ("empty_body", (200, rb""), True),
    ],
)
def test_answers_that_are_none(
    api: Any, bank: Any, name: str, seen: tuple[Any, ...], *, happened: bool
) -> None:
    """What a client sees, and whether the call did its work."""
    access, _ = api.item()
    bank.control.fault(name=name)
    observed = observe(bank, "/item/remove", access_token=access)
    assert observed[0] == seen[0]
    if len(seen) > 1:
        assert re.fullmatch(seen[1], observed[1], re.DOTALL)
    assert bank.control.items()[0]["removed"] is happened


def test_a_timeout_hangs_up_in_the_end(api: Any, bank: Any) -> None:
    access, _ = api.item()
    bank.control.fault(name="timeout", seconds=0.05)
    assert observe(bank, ITEM_GET, access_token=access) == ("closed",)
    assert observe(bank, ITEM_GET, access_token=access) == (200, None)


def test_a_slow_answer_is_right(api: Any, bank: Any) -> None:
    access, _ = api.item()
    bank.control.fault(name="slow", seconds=0.2)
    started = time.monotonic()
    assert api.post(ITEM_GET, access_token=access).status == 200
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("page", [2, 3])
def test_a_mutation_voids_the_loop(api: Any, bank: Any, ledger: Any, page: int) -> None:
    """From its page on, however often that is asked for; the next loop is whole."""
    access, item_id = api.item()
    bank.control.fault(name="mutation_during_pagination", page=page)
    cursor = ""
    for _ in range(page - 1):
        cursor = api.sync(access, cursor, count=100)["next_cursor"]
    assert [api.sync(access, cursor, count=100).error for _ in range(2)] == [MUTATION] * 2
    assert api.pull(access, count=100)[1] == ledger(item_id)


def test_pages_are_counted_for_each_loop(api: Any, bank: Any) -> None:
    """Asked for again, a page keeps its number; another Item's loop is another's."""
    (mine, _), (other, _) = api.item(), api.item()
    bank.control.fault(name="mutation_during_pagination", page=3)
    second = [api.sync(each, count=100)["next_cursor"] for each in (mine, other)]
    pages = [api.sync(mine, second[0], count=100) for _ in range(3)]
    pages.append(api.sync(other, second[1], count=100))
    assert [each.status for each in pages] == [200] * 4
    assert api.sync(mine, pages[0]["next_cursor"], count=100).error == MUTATION


def test_a_cursor_becomes_foreign(api: Any, bank: Any, ledger: Any) -> None:
    access, item_id = api.item()
    bank.control.fault(name="foreign_cursor")
    cursor, _ = api.pull(access)  # "" is no cursor that could be foreign
    for _ in range(2):
        refused = api.sync(access, cursor)
        assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")
        assert refused["error_message"] == "cursor not associated with access_token"
    assert api.pull(access)[1] == ledger(item_id)


def test_published_rate_limits(api: Any, bank: Any) -> None:
    access, _ = api.item()
    assert bank.control.fault(name="published_rate_limits") == "rate_limits"
    statuses = [api.post("/transactions/refresh", access_token=access).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    bank.control.settings(rate_limits=None)


def test_a_path_can_be_a_folder(api: Any, bank: Any) -> None:
    access, _ = api.item()
    bank.control.fault("/accounts/", name="internal_server_error", times=0)
    assert api.post(ITEM_GET, access_token=access).status == 200
    for path in ("/accounts/get", "/accounts/balance/get"):
        assert api.post(path, access_token=access).status == 500


def test_the_catalogue_is_shown(bank: Any) -> None:
    shown = {each["name"]: each for each in bank.control.fault_catalogue()}
    assert shown.keys() >= CALL_FAULTS.keys() | {"everything", "published_rate_limits"}
    assert shown["mutation_during_pagination"] == {
        "name": "mutation_during_pagination",
        "does": CALL_FAULTS["mutation_during_pagination"].does,
        "paths": [SYNC],
        "parameters": ["page"],
        "in_everything": True,
    }
    assert not shown["item_login_required"]["in_everything"]


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"name": "nothing"}, "no fault of calls is called 'nothing'"),
        ({"name": "slow", "page": 3}, "slow takes seconds; not page"),
        ({"name": "lost_answer", "seconds": 3}, "lost_answer takes no seconds"),
        ({"name": "published_rate_limits", "seconds": 3}, "takes no seconds"),
        ({"name": "mutation_during_pagination", "page": 1}, ">= 2"),
        ({"name": "foreign_cursor", "path": ITEM_GET}, "only of /transactions/sync"),
        ({"name": "webhook_late", "path": ITEM_GET}, "no path"),
        ({"name": "webhook_late", "count": 3}, "not count"),
        ({"name": "slow", "chance": 1.5}, "<= 1"),
        ({"name": "slow", "drop": True}, "drop"),
        ({"path": ITEM_GET, "seconds": 3}, "seconds"),
    ],
)
def test_odd_wishes_are_refused(bank: Any, wish: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ControlError, match=sentence) as refused:
        bank.control.fault(**wish)
    assert refused.value.status == 400


def met(api: Any, count: int = 40, **fault: Any) -> list[int]:
    """Plant a fault and return how a new Item's calls were answered."""
    access, _ = api.item("auth")
    api.bank.control.fault(ITEM_GET, **fault)
    return [api.post(ITEM_GET, access_token=access).status for _ in range(count)]


@pytest.mark.parametrize(
    "fault",
    [
        {"name": "internal_server_error"},
        {"error": {"error_type": "API_ERROR", "error_code": "ODD", "status": 500}},
    ],
)
def test_chance_is_the_seeds(api: Any, begin: Any, fault: dict[str, Any]) -> None:
    """The same calls on the same seed meet the same trouble; about as often as asked."""
    lives = []
    for seed in (5, 5, 6):
        begin(seed)
        lives.append(met(api, chance=0.3, **fault))
    assert lives[0] == lives[1] != lives[2]
    assert 4 <= lives[0].count(500) <= 22


def test_chance_goes_with_after_and_times(api: Any, bank: Any) -> None:
    wanted = {"name": "internal_server_error", "after": 1, "times": 2}
    assert met(api, 5, chance=1, **wanted) == [200, 500, 500, 200, 200]
    bank.control.clear_faults()
    assert met(api, 5, chance=0, **wanted) == [200] * 5


def test_chance_falls_alike_whatever_others_do(api: Any, bank: Any, begin: Any) -> None:
    """An Item's n-th call to a path is spoiled or not, however many calls others make between."""
    begin(5)
    alone = met(api, 20, chance=0.4, name="internal_server_error")
    begin(5)
    (mine, _), (other, _) = api.item("auth"), api.item("auth")
    bank.control.fault("*", chance=0.4, name="internal_server_error")
    together = []
    for _ in range(20):
        api.post(ITEM_GET, access_token=other)
        api.post("/accounts/get", access_token=mine)
        together.append(api.post(ITEM_GET, access_token=mine).status)
    assert together == alone


def troubled_life(api: Any, bank: Any, ledger: Any) -> list[tuple[str, str]]:
    """Let a stubborn client follow an Item through everything; return what it met."""
    access, item_id = api.item()
    bank.control.fault(name="everything", chance=0.05, seconds=0.01)
    held: dict[str, Any] = {}
    cursor = ""
    for turn in range(6):
        cursor = pull(bank, access, cursor, held, count=20 if turn == 0 else 2)
        newest = [key for key, row in held.items() if row is not None][-3:]
        bank.control.changes(item_id, added=[{}] * 5, removed=newest[:1])
    pull(bank, access, cursor, held, count=2)
    assert {key: row for key, row in held.items() if row is not None} == ledger(item_id)
    return [(each["fault"], each["path"]) for each in bank.control.calls() if each["fault"]]


def test_a_stubborn_client_survives_everything(
    api: Any, bank: Any, ledger: Any, begin: Any
) -> None:
    """It ends with exactly the ledger, and meets the same trouble again on the same seed."""
    lives = []
    for seed in (7, 7, 8):
        begin(seed)
        lives.append(troubled_life(api, bank, ledger))
    first, again, other = lives
    assert first == again != other
    assert len({name for name, _ in first}) >= 8
    survived = {name for name, known in CALL_FAULTS.items() if is_survived(known)}
    assert {name for name, _ in first + other} <= survived


def test_everything_is_one_of_each(api: Any, bank: Any) -> None:
    bank.control.fault(name="everything")
    planted = bank.control.faults()
    assert {each["name"] for each in planted} == {
        name for name, known in CALL_FAULTS.items() if is_survived(known)
    }
    assert {each["chance"] for each in planted} == {0.05}
    assert {each["times"] for each in planted} == {0}
    assert len(bank.control.troubles()) == 7
    bank.control.reset()
    bank.control.fault("/accounts/", name="everything", chance=1)
    assert "mutation_during_pagination" not in {each["name"] for each in bank.control.faults()}
    assert bank.control.troubles() == []
    access, _ = api.item()
    assert api.post(ITEM_GET, access_token=access).status == 200
    assert api.post("/accounts/get", access_token=access).status == 429
