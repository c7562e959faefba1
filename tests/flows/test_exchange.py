"""The exchange: a public token is spent once, whatever happens, and answered for afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bankloom.services import finish_exchanges
from bankloom.services.exchange_token import report_possible_orphan
from harness import serving, settings_for, wait_until
from scenes import (
    EXCHANGE_PATH,
    background,
    bank_account,
    exchange,
    holding,
    never,
    newcomer,
    person,
    query,
    sandbox_public_token,
    states,
    stored,
    tags,
)

if TYPE_CHECKING:
    import io
    from pathlib import Path

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

ALL = ["transactions", "investments", "liabilities"]


@pytest.mark.parametrize("mode", ["same", "rotate", "strict"])
def test_one_public_token_serves_every_product(
    api: Api, runtime: Runtime, bank: Running, mode: str
) -> None:
    """Later products are answered from our record, however Plaid treats a second exchange."""
    bank.control.settings(exchange_mode=mode)
    new = newcomer(api, bank, products=ALL, **person())
    answers = [exchange(api, new.public_token, product) for product in ALL]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json()["product"] for answer in answers] == ALL
    assert {answer.json()["item_id"] for answer in answers} == {new.item_id}
    assert len({answer.json()["access_token"] for answer in answers}) == 1
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1
    assert tags(runtime).keys() == set(ALL)


@pytest.mark.parametrize("mode", ["same", "strict"])
def test_two_exchanges_at_the_same_moment_spend_once(api: Api, bank: Running, mode: str) -> None:
    """Of two calls at once, one asks Plaid and the other waits for its answer."""
    bank.control.settings(exchange_mode=mode)
    new = newcomer(api, bank, products=["transactions", "liabilities"], **person())
    with holding(bank, "/link/token/get", times=0) as look, background() as start:
        calls = [
            start(exchange, api, new.public_token, product)
            for product in ("transactions", "liabilities")
        ]
        look.reached(2)  # neither has found a record of the token, and neither has claimed it
        with holding(bank, EXCHANGE_PATH) as hold:
            look.release()
            hold.reached()
        answers = [call.result() for call in calls]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json()["access_token"] for answer in answers}) == 1
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1


def test_two_services_spend_once(settings: Settings, bank: Running) -> None:
    """The claim lives in the database, so two processes are no different from two threads."""
    bank.control.settings(exchange_mode="strict")
    with serving(settings) as (api, _), serving(settings) as (other, _), background() as start:
        new = newcomer(api, bank, products=ALL, **person())
        calls = [
            start(exchange, each, new.public_token, product)
            for each in (api, other)
            for product in ALL
        ]
        answers = [call.result() for call in calls]
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json()["access_token"] for answer in answers}) == 1
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1


def test_a_slow_twin_is_no_duplicate(api: Api, bank: Running) -> None:
    """A call that lost the race to its twin is answered, not told that the accounts are linked."""
    new = newcomer(api, bank, products=["transactions", "liabilities"], **person())
    with holding(bank, "/link/token/get") as hold, background() as start:
        slow = start(exchange, api, new.public_token, "liabilities")
        hold.reached()
        assert exchange(api, new.public_token).status_code == 200
        hold.release()
        answer = slow.result()
    assert (answer.status_code, answer.json().get("item_id")) == (200, new.item_id)


def test_the_record_survives_a_restart(settings: Settings, bank: Running) -> None:
    """A service that was restarted still answers for a token spent before, under strict mode too."""
    bank.control.settings(exchange_mode="strict")
    with serving(settings) as (api, _):
        new = newcomer(api, bank, products=["transactions", "liabilities"], **person())
        first = exchange(api, new.public_token).json()
    with serving(settings) as (api, _):
        second = exchange(api, new.public_token, "liabilities").json()
    assert second["access_token"] == first["access_token"]
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1


def test_the_record_answers_only_its_own_person(api: Api, bank: Running) -> None:
    """To anyone else the token is unknown, and Plaid is not asked again."""
    new = newcomer(api, bank, **person())
    assert exchange(api, new.public_token).status_code == 200
    for other in ({"user_id": "grace"}, {"link_token": api.link_token("grace")}):
        refused = exchange(api, new.public_token, **other)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "unknown_public_token"
    assert exchange(api, new.public_token, user_id="ada").status_code == 200
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1


def test_the_record_answers_for_thirty_minutes(api: Api, runtime: Runtime, bank: Running) -> None:
    """As at Plaid, a public token is unknown half an hour after it was exchanged."""
    new = newcomer(api, bank, **person())
    assert exchange(api, new.public_token).status_code == 200
    query(runtime, "UPDATE exchange_claims SET exchanged_at = now() - interval '29 minutes'")
    assert exchange(api, new.public_token, "liabilities").status_code == 200
    query(runtime, "UPDATE exchange_claims SET exchanged_at = now() - interval '30 minutes'")
    refused = exchange(api, new.public_token, "auth")
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "unknown_public_token"


def test_a_token_plaid_does_not_know(api: Api, bank: Running) -> None:
    """A wrong public token is told as such, with Plaid's request id, and leaves no trace."""
    token = "public-sandbox-00000000-0000-0000-0000-000000000000"
    for _ in range(2):
        refused = exchange(api, token, user_id="ada")
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert (error["code"], error["error_code"]) == (
            "unknown_public_token",
            "INVALID_PUBLIC_TOKEN",
        )
        assert error["request_id"] == bank.control.calls(EXCHANGE_PATH)[-1]["request_id"]


@pytest.mark.parametrize("known_by", ["link_token", "user_id", "asking"])
def test_whose_it_is(api: Api, bank: Running, known_by: str) -> None:
    """The person is known by link token, by user id, or by asking Plaid about open sessions."""
    for other in ("grace", "edsger"):
        api.link_token(other)
    new = newcomer(api, bank, "ada", **person())
    api.link_token("barbara")
    named = {"link_token": new.link_token} if known_by == "link_token" else {"user_id": "ada"}
    answer = exchange(api, new.public_token, **({} if known_by == "asking" else named))
    assert answer.status_code == 200, answer.text
    assert {row["user_id"] for row in api.accounts(user_id="*")} == {"ada"}


def test_a_link_token_of_another_person_is_refused(api: Api, bank: Running) -> None:
    """Naming one person and another's link token spends nothing."""
    new = newcomer(api, bank, "ada", **person())
    api.link_token("grace")
    refused = exchange(api, new.public_token, user_id="grace", link_token=new.link_token)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "unknown_link_token"
    assert bank.control.calls(EXCHANGE_PATH) == []


def test_nothing_is_spent_while_the_person_is_unknown(api: Api, bank: Running) -> None:
    """A token of no open session is refused, until the call names the person."""
    api.link_token("grace")
    token = sandbox_public_token(bank)
    refused = exchange(api, token)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "user_unknown"
    assert bank.control.calls(EXCHANGE_PATH) == []
    assert exchange(api, token, user_id="ada").status_code == 200


def test_the_newest_fifty_sessions_are_asked(api: Api, bank: Running) -> None:
    """Asking is bounded; an older session is found by its link token."""
    new = newcomer(api, bank, **person())
    for number in range(50):
        api.link_token(f"person {number}")
    assert exchange(api, new.public_token).status_code == 422
    assert len(bank.control.calls("/link/token/get")) == 50
    assert bank.control.calls(EXCHANGE_PATH) == []
    assert exchange(api, new.public_token, link_token=new.link_token).status_code == 200


def test_sessions_that_were_exchanged_are_asked_last(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """However many people have linked since, one who took longer is still found."""
    new = newcomer(api, bank, **person())
    for number in range(50):
        api.link_token(f"person {number}")
    others = "created_at > (SELECT min(created_at) FROM link_sessions)"
    query(runtime, f"UPDATE link_sessions SET exchanged_at = now() WHERE {others}")  # noqa: S608 - ours
    assert exchange(api, new.public_token).status_code == 200
    assert len(bank.control.calls("/link/token/get")) == 1
    assert query(runtime, "SELECT 1 FROM link_sessions WHERE exchanged_at IS NULL") == []


@pytest.mark.parametrize("named", ["her link token", "his name"])
def test_plaid_knows_better_whose_it_is(api: Api, bank: Running, named: str) -> None:
    """A public token of one person's session is not linked for another, whoever is named."""
    new = newcomer(api, bank, "ada", **person())
    names = {
        "her link token": {"link_token": api.link_token("grace")},
        "his name": {"user_id": "Ada"},
    }
    refused = exchange(api, new.public_token, **names[named])
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "unknown_public_token"
    assert bank.control.calls(EXCHANGE_PATH) == []
    assert exchange(api, new.public_token, user_id="ada").status_code == 200


@pytest.mark.parametrize("same_token", [True, False])
def test_an_item_of_another_person_is_not_handed_out(
    api: Api, runtime: Runtime, bank: Running, *, same_token: bool
) -> None:
    """Where Plaid answers with an Item that somebody else has linked, their access token stays theirs."""
    theirs = exchange(api, newcomer(api, bank, "ada", **person()).public_token).json()
    told = {
        "access_token": theirs["access_token"] if same_token else "access-sandbox-another",
        "item_id": theirs["item_id"],
        "request_id": "abcdefghijklmno",
    }
    bank.control.fault(EXCHANGE_PATH, body=json.dumps(told))
    refused = exchange(api, sandbox_public_token(bank), user_id="grace")
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "unknown_public_token"
    assert told["access_token"] not in refused.text
    assert query(runtime, "SELECT 1 FROM exchange_claims WHERE state <> 'done'") == []
    assert query(runtime, "SELECT name FROM users") == [("ada",)]
    assert not any(item["removed"] for item in bank.control.items())


def test_a_duplicate_is_named_before_anything_is_spent(api: Api, bank: Running) -> None:
    """Linking the same accounts again names the Item they are in; the caller may insist."""
    first = newcomer(api, bank, **person())
    assert exchange(api, first.public_token).status_code == 200
    second = newcomer(api, bank, **person())
    refused = exchange(api, second.public_token)
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert (error["code"], error["item_id"]) == ("duplicate_item", first.item_id)
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1
    insisted = exchange(api, second.public_token, allow_duplicate=True)
    assert (insisted.status_code, insisted.json()["item_id"]) == (200, second.item_id)


def test_what_is_no_duplicate(api: Api, bank: Running) -> None:
    """Other accounts, another bank, or another person's accounts are not the same."""
    known = person(bank_account(mask="0001"))
    assert exchange(api, newcomer(api, bank, **known).public_token).status_code == 200
    others = [
        newcomer(api, bank, **person(bank_account(mask="0002"))),
        newcomer(api, bank, **person(bank_account(name="Savings", mask="0001"))),
        newcomer(api, bank, institution_id="ins_109509", **known),
        newcomer(api, bank, "grace", **known),
    ]
    for other in others:
        answer = exchange(api, other.public_token)
        assert answer.status_code == 200, answer.text


def test_a_product_nobody_asked_consent_for(api: Api, runtime: Runtime, bank: Running) -> None:
    """It is accepted, and its tag says that consent is needed."""
    new = newcomer(api, bank, products=["transactions"], **person())
    assert exchange(api, new.public_token).status_code == 200
    assert exchange(api, new.public_token, "liabilities").status_code == 200
    assert tags(runtime)["liabilities"] == "consent needed"
    assert tags(runtime)["transactions"] != "consent needed"


def test_an_unknown_product_spends_nothing(api: Api, bank: Running) -> None:
    """A product that can't be linked is refused, naming those that can."""
    new = newcomer(api, bank, **person())
    refused = exchange(api, new.public_token, "balance")
    assert refused.status_code == 422
    assert "transactions" in refused.json()["error"]["valid_products"]
    assert bank.control.calls(EXCHANGE_PATH) == []


def test_a_lost_answer_is_asked_for_again(api: Api, bank: Running) -> None:
    """Where Plaid's answer was lost, the next call gets the same Item (modes same and rotate)."""
    new = newcomer(api, bank, **person())
    bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
    lost = exchange(api, new.public_token)
    assert (lost.status_code, lost.json()["error"]["code"]) == (502, "plaid_unreachable")
    answer = exchange(api, new.public_token)
    assert (answer.status_code, answer.json()["item_id"]) == (200, new.item_id)


def test_a_product_whose_answer_was_lost_is_not(api: Api, bank: Running) -> None:
    """The call for the next product brings it too: the person consented to both."""
    new = newcomer(api, bank, products=["transactions", "liabilities"], **person())
    bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
    assert exchange(api, new.public_token).status_code == 502
    wait_until(lambda: exchange(api, new.public_token, "liabilities").status_code == 200)
    assert states(api)[new.item_id].keys() == {"transactions", "liabilities"}


@pytest.mark.parametrize("error_type", ["API_ERROR", "SOME_NEW_TYPE"])
def test_an_inner_error_of_plaid_may_have_spent_it(
    api: Api, runtime: Runtime, bank: Running, error_type: str
) -> None:
    """Whether it had an effect is unknown, so the claim stays, and who asks again finishes it."""
    new = newcomer(api, bank, **person())
    inner = {"error_type": error_type, "error_code": "INTERNAL_SERVER_ERROR"}
    bank.control.fault(EXCHANGE_PATH, error=inner | {"status": 500})
    refused = exchange(api, new.public_token)
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "plaid_error")
    (claim,) = query(runtime, "SELECT state, attempts FROM exchange_claims")
    assert (claim.state, claim.attempts) == ("claimed", 1)
    finish_exchanges.now(runtime, never)
    (claim,) = query(runtime, "SELECT state, attempts FROM exchange_claims")
    assert (claim.state, claim.attempts) == ("done", 2)


def test_a_lost_answer_under_strict_mode_is_reported(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Where Plaid answers only once, what is lost is recorded as a possible orphan."""
    bank.control.settings(exchange_mode="strict")
    new = newcomer(api, bank, **person())
    bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
    assert exchange(api, new.public_token).status_code == 502
    for _ in range(2):
        refused = exchange(api, new.public_token)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "unknown_public_token"
    (claim,) = query(runtime, "SELECT * FROM exchange_claims")
    assert (claim.state, claim.public_token_sealed) == ("possible orphan", None)


def test_a_twin_that_finished_it_answers(
    api: Api, runtime: Runtime, bank: Running, log: io.StringIO
) -> None:
    """Who outlasted their lease, and is told that the token is spent, gets what their twin got."""
    bank.control.settings(exchange_mode="strict")
    new = newcomer(api, bank, products=["transactions", "liabilities"], **person())
    with holding(bank, EXCHANGE_PATH) as hold, background() as start:
        slow = start(exchange, api, new.public_token, "liabilities")
        hold.reached()
        query(runtime, "UPDATE exchange_claims SET lease_until = now()")
        twin = exchange(api, new.public_token)
        hold.release()
        answer = slow.result()
    assert (twin.status_code, answer.status_code) == (200, 200), answer.text
    assert answer.json()["access_token"] == twin.json()["access_token"]
    assert tags(runtime).keys() == {"transactions", "liabilities"}
    with runtime.database.session() as session:
        report_possible_orphan(session, runtime.keyring.hash(new.public_token), 1)
    assert query(runtime, "SELECT state FROM exchange_claims") == [("done",)]
    assert "orphan" not in log.getvalue()


def test_a_lost_answer_is_no_duplicate(api: Api, runtime: Runtime, bank: Running) -> None:
    """A token that may be spent is not refused as a duplicate: that would say that it was not."""
    bank.control.settings(exchange_mode="strict")
    first = newcomer(api, bank, **person())
    assert exchange(api, first.public_token).status_code == 200
    second = newcomer(api, bank, **person())
    bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
    assert exchange(api, second.public_token, allow_duplicate=True).status_code == 502
    refused = exchange(api, second.public_token)
    assert refused.json()["error"]["code"] == "unknown_public_token"
    states = query(runtime, "SELECT state FROM exchange_claims ORDER BY created_at")
    assert [row.state for row in states] == ["done", "possible orphan"]


def test_an_exchange_that_was_cut_off_is_finished(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """A claim left by a crash is taken up by the tick, down to the first sync."""
    new = newcomer(api, bank, **person(bank_account(transactions=[])))
    bank.control.changes(new.item_id, added=[{"amount": 5}])
    bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
    assert exchange(api, new.public_token).status_code == 502
    finish_exchanges.now(runtime, never)
    wait_until(lambda: stored(api))
    assert query(runtime, "SELECT state FROM exchange_claims") == [("done",)]


def refuse_items(runtime: Runtime) -> None:
    """Let no new Item be stored."""
    query(
        runtime,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no room'; END $$",
    )
    query(
        runtime,
        "CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse()",
    )


def test_what_cannot_be_stored_is_removed_at_plaid(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """An Item whose storing failed for certain is removed at Plaid, and its claim freed."""
    refuse_items(runtime)
    new = newcomer(api, bank, **person())
    answer = exchange(api, new.public_token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_lost")
    assert "no room" not in answer.text
    (item,) = bank.control.items()
    assert item["removed"]
    assert query(runtime, "SELECT * FROM exchange_claims") == []


@pytest.mark.parametrize("is_taken_over", [True, False])
def test_only_the_holder_of_the_claim_removes_what_it_could_not_store(
    api: Api, runtime: Runtime, bank: Running, *, is_taken_over: bool
) -> None:
    """Who was taken over leaves the Item to the successor; who was not keeps others off meanwhile."""
    refuse_items(runtime)
    new = newcomer(api, bank, **person())
    with (
        holding(bank, EXCHANGE_PATH) as hold,
        holding(bank, "/item/remove") as removal,
        background() as start,
    ):
        call = start(exchange, api, new.public_token)
        hold.reached()
        query(
            runtime,
            "UPDATE exchange_claims SET lease_until = now(), attempts = :attempts",
            attempts=2 if is_taken_over else 1,
        )
        hold.release()
        if not is_taken_over:
            removal.reached()
            assert query(runtime, "SELECT 1 FROM exchange_claims WHERE lease_until > now()")
        removal.release()
        assert call.result().json()["error"]["code"] == "database_lost"
    (item,) = bank.control.items()
    assert item["removed"] is not is_taken_over
    assert len(query(runtime, "SELECT 1 FROM exchange_claims")) == is_taken_over


@pytest.mark.parametrize("told_at_link", [True, False])
def test_our_webhook_is_registered(
    bank: Running, database_url: str, tmp_path: Path, *, told_at_link: bool
) -> None:
    """Whether Link was opened here or elsewhere, the Item's webhook ends up ours."""
    public = "https://bankloom.example.com"
    settings = settings_for(bank.url, database_url, tmp_path / "data", public_url=public)
    with serving(settings) as (api, _):
        if told_at_link:
            assert exchange(api, newcomer(api, bank, **person()).public_token).is_success
        else:
            assert exchange(api, sandbox_public_token(bank), user_id="ada").is_success
        wait_until(lambda: bank.control.calls("/transactions/sync"))
    (item,) = bank.control.items()
    assert item["webhook"] == f"{public}/plaid/webhook"
    updates = bank.control.calls("/item/webhook/update")
    assert len(updates) == (0 if told_at_link else 1)
