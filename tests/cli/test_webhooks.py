"""`bankloom webhooks`: what an operator sees, does again, and tries at the door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commands import bankloom
from gateway import answering
from harness import environment_for, serving, wait_until
from scenes import query
from webhook_sender import Key, body_of, deliver, plaid_keys, updates_available
from workers import runs, store_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from platypus_bank.testing import Running
    from webhook_sender import PlaidKeys

SELF_TESTS = {
    "a good one": "accepted",
    "the same again": "accepted, stored once",
    "no header": "no_signature",
    "two headers": "two_signatures",
    "algorithm none": "wrong_algorithm",
    "HS256 with the public key": "wrong_algorithm",
    "another key": "bad_signature",
    "6 minutes old": "stale",
    "from the future": "from_the_future",
    "body tampered with": "body_changed",
    "body written anew": "body_changed",
    "a real webhook by this key": "self_test_only",
}

UNKNOWN = "SELECT count AS times FROM webhook_refusals WHERE verdict = 'unknown_key'"


@pytest.fixture
def plaid(bank: Running) -> Iterator[PlaidKeys]:
    """Plaid, with keys."""
    with plaid_keys(bank.url) as door:
        yield door


@pytest.fixture
def settings(settings: Settings, plaid: PlaidKeys) -> Settings:
    """Settings of a service whose Plaid has keys."""
    plaid_settings = settings.plaid.model_copy(update={"base_url": plaid.url})
    return settings.model_copy(update={"plaid": plaid_settings})


def rows_of(table: str) -> list[list[str]]:
    """Return the cells of a table that was printed."""
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_self_test_of_a_sound_door(settings: Settings, plaid: PlaidKeys) -> None:
    """Every delivery is judged as it should be; Plaid is asked for nothing; the code is 0."""
    environment = environment_for(settings)
    with serving(settings) as (api, runtime):
        tested = bankloom(environment, "webhooks", "self-test", "--url", api.url)
        assert tested.returncode == 0, tested.stdout + tested.stderr
        rows = rows_of(tested.stdout)
        assert {name: given for name, _, given, _ in rows} == SELF_TESTS
        assert {name: expected for name, expected, _, _ in rows} == SELF_TESTS
        [row] = query(runtime, "SELECT * FROM webhook_deliveries")
        assert (row.webhook_type, row.outcome) == ("BANKLOOM_SELF_TEST", "stored only")
    assert plaid.asked == []


@pytest.mark.parametrize("status", [200, 404])
def test_the_self_test_of_a_door_that_is_not_ours(settings: Settings, status: int) -> None:
    """Who believes everything, or answers for another path, fails it: the code is 1."""
    with answering() as stand_in:
        stand_in.answers(status, b"{}")
        environment = {**environment_for(settings), "BANKLOOM_PUBLIC_URL": stand_in.url}
        tested = bankloom(environment, "webhooks", "self-test")
    assert tested.returncode == 1
    assert "WRONG" in tested.stdout
    assert "Traceback" not in tested.stderr


def test_the_self_test_where_nobody_answers(environment: dict[str, str]) -> None:
    """One sentence says so."""
    tested = bankloom(
        environment, "webhooks", "self-test", "--url", "http://me:pw-of-mine@127.0.0.1:1"
    )
    assert "pw-of-mine" not in tested.stderr + tested.stdout
    assert tested.returncode == 1
    assert "No service answers at http://127.0.0.1:1" in tested.stderr
    assert "Traceback" not in tested.stderr


def test_a_key_of_the_self_test_ends(settings: Settings) -> None:
    """What is left of a self-test opens nothing some minutes later."""
    with serving(settings) as (api, runtime):
        bankloom(environment_for(settings), "webhooks", "self-test", "--url", api.url)
        [row] = query(runtime, "SELECT kid, expires_at - now() AS left FROM self_test_keys")
        assert 0 < row.left.total_seconds() <= 300
        query(runtime, "UPDATE self_test_keys SET expires_at = now()")
        body = body_of("BANKLOOM_SELF_TEST", "x")
        # Another process has not seen the key while it was good.
        with serving(settings) as (other, _):
            assert deliver(other.url, body, Key(row.kid).jwt(body)).status_code == 401
        [counted] = query(runtime, UNKNOWN)
        assert counted.times == 1


def test_an_operator_sees_what_came(settings: Settings, plaid: PlaidKeys) -> None:
    """The list, one whole with tokens blacked out, those that wait, and what was refused."""
    key = plaid.new_key()
    environment = environment_for(settings)
    link = body_of("LINK", "EVENTS", link_token="link-sandbox-12-34", name="Ünï")
    with serving(settings) as (api, runtime):
        for body in (updates_available("nobody's"), link):
            assert deliver(api.url, body, key.jwt(body)).status_code == 200
        assert deliver(api.url, link).status_code == 401
        wait_until(lambda: query(runtime, "SELECT * FROM webhook_refusals"))
    listed = bankloom(environment, "webhooks", "list")
    first, second = rows_of(listed.stdout)
    assert (first[2:4], second[2:5]) == (
        ["LINK", "EVENTS"],
        ["TRANSACTIONS", "SYNC_UPDATES_AVAILABLE", "nobody's"],
    )
    assert "1 wait for Items that are not held here" in listed.stdout
    assert "1 were refused" in listed.stdout
    waiting = bankloom(environment, "webhooks", "list", "--unhandled", "--item", "nobody's")
    assert rows_of(waiting.stdout) == [second]
    assert rows_of(bankloom(environment, "webhooks", "list", "--item", "x").stdout) == []
    shown = bankloom(environment, "webhooks", "show", first[1]).stdout
    assert '"link_token": "link-sandbox-***"' in shown
    assert '"name": "Ünï"' in shown
    assert key.kid in shown
    [refused] = rows_of(bankloom(environment, "webhooks", "list", "--refused").stdout)
    assert (refused[0], refused[1], refused[3]) == ("no_signature", "1", "127.0.0.1")


def test_an_operator_does_it_again(settings: Settings, plaid: PlaidKeys, bank: Running) -> None:
    """A replay asks for the run once more; an id that is nobody's is one sentence."""
    key = plaid.new_key()
    environment = environment_for(settings)
    with serving(settings, with_worker=False) as (api, runtime):
        item_id = store_item(runtime, bank)
        body = updates_available(item_id)
        assert deliver(api.url, body, key.jwt(body)).status_code == 200
        query(runtime, "UPDATE sync_runs SET status = 'up_to_date'")
        [row] = query(runtime, "SELECT id FROM webhook_deliveries")
        again = bankloom(environment, "webhooks", "replay", str(row.id))
        assert again.stdout == f"{row.id}: a run was requested\n"
        assert sorted(runs(runtime, item_id)) == ["queued", "up_to_date"]
    unknown = bankloom(environment, "webhooks", "replay", "00000000-0000-0000-0000-000000000000")
    assert unknown.returncode == 1
    assert "There is no webhook 00000000" in unknown.stderr
    assert "Traceback" not in unknown.stderr
