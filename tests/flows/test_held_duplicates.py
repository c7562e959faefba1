"""Duplicates that nobody is there to be told of: held until a person links or discards them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from bankloom.core import clock
from bankloom.models import ExchangeClaim
from bankloom.services import finish_exchanges
from bankloom.services.webhooks import link_deliveries
from harness import serving
from link_scenes import decide, hosted_link, poll, session_of, through, update_mode
from scenes import EXCHANGE_PATH, exchange, never, query, states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

ALL = ["transactions", "liabilities"]


@pytest.fixture
def service(settings: Settings) -> Iterator[tuple[Api, Runtime]]:
    """The service without a worker: what is asked of it happens, and nothing else."""
    with serving(settings, with_worker=False) as running_service:
        yield running_service


class Held(NamedTuple):
    """A hosted session whose accounts are linked already, in `item_id`."""

    opened: dict[str, Any]
    public_token: str
    item_id: str


@pytest.fixture
def held(api: Api, runtime: Runtime, bank: Running) -> Held:
    """A duplicate that was found by polling; the calls so far are forgotten."""
    first = through(bank, {"link_token": api.link_token()})
    item_id = exchange(api, first).json()["item_id"]
    opened = hosted_link(api, products=ALL)
    token = through(bank, opened)
    bank.control.forget_calls()
    poll(runtime)
    return Held(opened, token, item_id)


def test_a_duplicate_is_held_and_shown(
    api: Api, runtime: Runtime, bank: Running, held: Held
) -> None:
    """Nothing is spent; the session says which Item has the accounts, and until when it can be linked."""
    shown = session_of(api, held.opened)
    assert (shown["state"], shown["linked_item_ids"]) == ("finished", [])
    (duplicate,) = shown["duplicates"]
    assert duplicate["duplicate_of"] == held.item_id
    until = datetime.fromisoformat(duplicate["linkable_until"])
    assert until - datetime.fromisoformat(duplicate["held_since"]) == timedelta(minutes=30)
    assert held.public_token not in api.get("/plaid/link-sessions").text
    (claim,) = query(runtime, "SELECT * FROM exchange_claims WHERE state = 'held'")
    assert runtime.keyring.open(claim.public_token_sealed, claim.public_token_hash)
    assert bank.control.calls(EXCHANGE_PATH) == []


def test_nothing_spends_it_by_itself(api: Api, runtime: Runtime, bank: Running, held: Held) -> None:
    """Polls, webhooks, left-over exchanges, an app that does not insist: it stays held."""
    query(runtime, "UPDATE exchange_claims SET lease_until = now() - interval '1 hour'")
    finish_exchanges.now(runtime, never)
    query(runtime, "UPDATE link_sessions SET finished_at = NULL, poll_at = now() WHERE hosted")
    poll(runtime)
    told = {"webhook_type": "LINK", "webhook_code": "ITEM_ADD_RESULT", "environment": "sandbox"}
    tokens = {"link_token": held.opened["link_token"], "public_token": held.public_token}
    bank.control.send_webhook({**told, **tokens}, url=f"{api.url}/plaid/webhook")
    while not query(runtime, "SELECT 1 FROM webhook_deliveries WHERE handled_at IS NOT NULL"):
        link_deliveries.now(runtime, never)
    refused = exchange(api, held.public_token)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "duplicate_item")
    assert refused.json()["error"]["item_id"] == held.item_id
    assert len(session_of(api, held.opened)["duplicates"]) == 1
    assert bank.control.calls(EXCHANGE_PATH) == []


def test_it_is_linked_all_the_same(api: Api, bank: Running, held: Held) -> None:
    """The decision spends the token: a second Item, with all products of the session."""
    answer = decide(api, held.opened, "link")
    assert (answer.status_code, answer.json()["duplicates"]) == (200, [])
    (linked,) = answer.json()["linked_item_ids"]
    assert states(api).keys() == {held.item_id, linked}
    assert states(api)[linked].keys() == set(ALL)
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1
    assert decide(api, held.opened, "discard").status_code == 404
    assert len(states(api)) == 2


def test_the_app_may_insist(api: Api, held: Held) -> None:
    """`allow_duplicate` decides as well."""
    answer = exchange(api, held.public_token, allow_duplicate=True)
    assert answer.status_code == 200
    assert session_of(api, held.opened)["linked_item_ids"] == [answer.json()["item_id"]]
    assert session_of(api, held.opened)["duplicates"] == []


def test_it_is_discarded(api: Api, runtime: Runtime, bank: Running, held: Held) -> None:
    """The token is forgotten and never held again, whoever tells of it."""
    answer = decide(api, held.opened, "discard", duplicate_of=held.item_id)
    assert (answer.status_code, answer.json()["duplicates"]) == (200, [])
    query(runtime, "UPDATE link_sessions SET finished_at = NULL, poll_at = now() WHERE hosted")
    poll(runtime)
    shown = session_of(api, held.opened)
    assert (shown["state"], shown["duplicates"]) == ("finished", [])
    refused = exchange(api, held.public_token, allow_duplicate=True)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_public_token")
    assert decide(api, held.opened, "link").status_code == 404
    assert bank.control.calls(EXCHANGE_PATH) == []
    (claim,) = query(runtime, "SELECT * FROM exchange_claims WHERE state = 'discarded'")
    assert claim.public_token_sealed is None


def test_after_half_an_hour_it_can_only_be_discarded(
    api: Api, runtime: Runtime, bank: Running, held: Held
) -> None:
    """Plaid would refuse the token, so it is not asked."""
    query(runtime, "UPDATE exchange_claims SET created_at = now() - interval '30 minutes'")
    refused = decide(api, held.opened, "link")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_public_token")
    assert refused.json()["error"]["duplicate_of"] == held.item_id
    assert bank.control.calls(EXCHANGE_PATH) == []
    assert decide(api, held.opened, "discard").json()["duplicates"] == []


@pytest.mark.parametrize(
    ("error_type", "error_code", "status"),
    [
        ("INVALID_INPUT", "INVALID_PUBLIC_TOKEN", 400),
        ("RATE_LIMIT_EXCEEDED", "RATE_LIMIT", 503),
    ],
)
def test_a_decision_that_plaid_refuses(
    api: Api,
    runtime: Runtime,
    bank: Running,
    held: Held,
    *,
    error_type: str,
    error_code: str,
    status: int,
) -> None:
    """It is held again, and may be decided anew; it is no possible orphan."""
    bank.control.fault(EXCHANGE_PATH, error={"error_type": error_type, "error_code": error_code})
    assert decide(api, held.opened, "link").status_code == status
    assert query(runtime, "SELECT 1 FROM exchange_claims WHERE state = 'possible orphan'") == []
    assert len(session_of(api, held.opened)["duplicates"]) == 1
    assert decide(api, held.opened, "link").status_code == 200


PLAID_BROKE = {"error": {"error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR"}}


@pytest.mark.parametrize("fault", [{"drop_after_effect": True}, PLAID_BROKE])
def test_a_decision_whose_answer_is_lost(
    api: Api, runtime: Runtime, bank: Running, held: Held, *, fault: dict[str, Any]
) -> None:
    """What was decided is finished like any exchange that was cut off; an inner error tells as little."""
    bank.control.fault(EXCHANGE_PATH, **fault)
    assert decide(api, held.opened, "link").status_code == 502
    finish_exchanges.now(runtime, never)
    (linked,) = session_of(api, held.opened)["linked_item_ids"]
    assert states(api)[linked].keys() == set(ALL)


def test_the_other_item_may_be_extended_instead(api: Api, held: Held) -> None:
    """Plaid's own advice: update mode of the Item that has the accounts, and the token left alone."""
    assert update_mode(api, held.item_id, "accounts")["link_token"]
    assert decide(api, held.opened, "discard", duplicate_of="another").status_code == 404
    assert decide(api, held.opened, "discard").status_code == 200
    assert list(states(api)) == [held.item_id]


def test_old_ones_are_forgotten(api: Api, runtime: Runtime, held: Held) -> None:
    """What nobody decided on is shown for 30 days; what was discarded is known for an hour."""
    query(runtime, "UPDATE exchange_claims SET created_at = now() - interval '29 days'")
    wipe(runtime)
    assert len(session_of(api, held.opened)["duplicates"]) == 1
    query(runtime, "UPDATE exchange_claims SET created_at = now() - interval '31 days'")
    wipe(runtime)
    assert session_of(api, held.opened)["duplicates"] == []


def test_what_an_open_session_names_is_not_forgotten(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """As long as Plaid is asked about a session, its tokens stay known: none is a duplicate of itself."""
    opened = hosted_link(api)
    through(bank, opened)
    poll(runtime)
    query(runtime, "UPDATE link_sessions SET finished_at = NULL, poll_at = now() WHERE hosted")
    query(runtime, "UPDATE exchange_claims SET exchanged_at = now() - interval '2 hours'")
    wipe(runtime)
    poll(runtime)
    assert session_of(api, opened)["duplicates"] == []
    wipe(runtime)
    assert query(runtime, "SELECT 1 FROM exchange_claims") == []


def wipe(runtime: Runtime) -> None:
    """Do what the tick does about old claims."""
    with runtime.database.session() as session:
        ExchangeClaim.wipe_old(session, clock.now())
