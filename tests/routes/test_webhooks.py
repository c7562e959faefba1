"""Webhooks: what Plaid signed is stored and acted on, whatever else comes is refused and counted."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from bankloom.routes.threads import PLAID_CALLS_AT_ONCE
from harness import serving, settings_for, wait_until
from scenes import background, exchange, holding, newcomer, person, query
from webhook_sender import Key, body_of, deliver, plaid_keys, updates_available
from workers import jobs_of, runs, store_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running
    from webhook_sender import PlaidKeys

MORE_THAN_ALL_THREADS = 45
ROWS = "SELECT * FROM webhook_deliveries ORDER BY received_at"
BODY = updates_available()


@pytest.fixture
def plaid(bank: Running) -> Iterator[PlaidKeys]:
    """Plaid, keys included."""
    with plaid_keys(bank.url) as door:
        yield door


@pytest.fixture
def settings(plaid: PlaidKeys, database_url: str, tmp_path: Path) -> Settings:
    """Settings of a service whose Plaid has keys."""
    return settings_for(plaid.url, database_url, tmp_path / "data")


@pytest.fixture
def key(plaid: PlaidKeys) -> Key:
    """A key of Plaid's."""
    return plaid.new_key()


def refused(runtime: Runtime) -> dict[str, int]:
    """Return how many deliveries each verdict was given to."""
    rows = query(runtime, "SELECT verdict, count AS times FROM webhook_refusals")
    return {row.verdict: row.times for row in rows}


def test_what_plaid_signed_is_stored_as_it_came(api: Api, runtime: Runtime, key: Key) -> None:
    """The row holds what the signature says and, sealed, the body byte for byte."""
    answer = deliver(api.url, BODY, key.jwt(BODY))
    assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    [row] = query(runtime, ROWS)
    facts = (row.webhook_type, row.webhook_code, row.item_id, row.kid)
    assert facts == ("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE", "item", key.kid)
    assert runtime.keyring.open(row.body_sealed, row.jwt_hash) == BODY.decode()


TAMPERED = BODY.replace(b'"item"', b'"itm2"')
REENCODED = json.dumps(json.loads(BODY)).encode()
Forgery = tuple[bytes, list[str]]
"""A body and the signatures that it is sent with."""

FORGERIES: dict[str, tuple[str, Callable[[Key], Forgery]]] = {
    "no header": ("no_signature", lambda _: (BODY, [])),
    "two headers": ("two_signatures", lambda key: (BODY, [key.jwt(BODY), key.jwt(BODY)])),
    "no JWT": ("malformed", lambda _: (BODY, ["Bearer x"])),
    "alg none": ("wrong_algorithm", lambda key: (BODY, [unsigned(key)])),
    "HS256 with the public key": ("wrong_algorithm", lambda key: (BODY, [key.hs256(BODY)])),
    "other key": ("bad_signature", lambda key: (BODY, [Key(key.kid).jwt(BODY)])),
    "unknown kid": ("unknown_key", lambda _: (BODY, [Key().jwt(BODY)])),
    "stale": ("stale", lambda key: (BODY, [key.jwt(BODY, age=310)])),
    "future": ("from_the_future", lambda key: (BODY, [key.jwt(BODY, age=-60)])),
    "body changed": ("body_changed", lambda key: (TAMPERED, [key.jwt(BODY)])),
    "body re-encoded": ("body_changed", lambda key: (REENCODED, [key.jwt(BODY)])),
    "not UTF-8": ("not_json", lambda key: (b"\xff", [key.jwt(b"\xff")])),
    "no object": ("not_json", lambda key: (b"[]", [key.jwt(b"[]")])),
    "self-test key of nobody": ("unknown_key", lambda _: (BODY, [Key("self-test-x").jwt(BODY)])),
}


def unsigned(key: Key) -> str:
    """Return a JWT without signature."""
    head, claims, _ = key.jwt(BODY, alg="none").split(".")
    return f"{head}.{claims}."


def test_what_plaid_did_not_sign_is_refused(api: Api, runtime: Runtime, key: Key) -> None:
    """Nothing of it is stored but the count of its verdict, which the sender is not told."""
    answers = {}
    for name, (_, forge) in FORGERIES.items():
        body, jwts = forge(key)
        answers[name] = deliver(api.url, body, *jwts)
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        FORGERIES, 401
    )
    assert len({answer.text for answer in answers.values()}) == 1
    assert answers["stale"].json()["error"]["code"] == "webhook_refused"
    verdicts = Counter(verdict for verdict, _ in FORGERIES.values())
    wait_until(lambda: refused(runtime) == dict(verdicts))
    assert query(runtime, ROWS) == []


def test_a_sample_of_what_was_refused_is_kept(api: Api, runtime: Runtime, key: Key) -> None:
    """It says where it came from and how it began, with tokens blacked out; nothing in it is raw."""
    body = b'{"public_token": "public-sandbox-1234", "\x00\x1b[31m": "' + b"x" * 300 + b'"}'
    deliver(api.url, body, key.jwt(BODY))
    wait_until(lambda: refused(runtime) == {"body_changed": 1})
    [row] = query(runtime, "SELECT samples FROM webhook_refusals")
    [sample] = row.samples
    assert (sample["remote"], sample["kid"], sample["bytes"]) == ("127.0.0.1", key.kid, len(body))
    assert sample["body"].startswith('{"public_token": "public-sandbox-***", "  [31m": "xxx')
    assert len(sample["body"]) == 200


def test_an_expired_key_proves_nothing(api: Api, runtime: Runtime, key: Key) -> None:
    """What it signed is refused, however good the signature."""
    key.expired_at = 1_560_466_150
    assert deliver(api.url, BODY, key.jwt(BODY)).status_code == 401
    wait_until(lambda: refused(runtime) == {"expired_key": 1})


def test_a_huge_body_is_refused_before_it_is_read(api: Api, runtime: Runtime, key: Key) -> None:
    """By its declared length, or by what came of it where none is declared."""
    huge = BODY + b" " * 300_000
    declared = deliver(api.url, huge, key.jwt(huge))

    def chunks() -> Iterator[bytes]:
        yield from (huge[start : start + 10_000] for start in range(0, len(huge), 10_000))

    headers = {"Plaid-Verification": key.jwt(huge)}
    streamed = httpx.post(f"{api.url}/plaid/webhook", content=chunks(), headers=headers)
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "body_too_large"
    wait_until(lambda: refused(runtime) == {"too_large": 2})
    assert query(runtime, ROWS) == []


def test_keys_rotate_and_every_good_delivery_is_taken(
    api: Api, runtime: Runtime, plaid: PlaidKeys
) -> None:
    """Old and new keys are believed side by side, each asked for when it is first seen."""
    answers = []
    for rotation in range(5):
        key = plaid.new_key()
        bodies = [updates_available(f"item {rotation} {number}") for number in range(4)]
        answers += [deliver(api.url, body, key.jwt(body)).status_code for body in bodies]
        first = next(iter(plaid.keys.values()))
        old = updates_available(f"old {rotation}")
        answers.append(deliver(api.url, old, first.jwt(old)).status_code)
    assert answers == [200] * 25
    assert len(query(runtime, ROWS)) == 25


def test_a_key_ends_when_another_begins(api: Api, plaid: PlaidKeys) -> None:
    """Once a new key is seen, the one before is looked at again, and found to have expired."""
    before, after = plaid.new_key(), plaid.new_key()
    assert deliver(api.url, BODY, before.jwt(BODY)).status_code == 200
    before.expired_at = 1
    assert deliver(api.url, BODY, before.jwt(BODY, age=1)).status_code == 200
    assert deliver(api.url, BODY, after.jwt(BODY)).status_code == 200
    assert deliver(api.url, BODY, before.jwt(BODY, age=2)).status_code == 401
    assert plaid.asked == [before.kid, after.kid, before.kid]


def test_a_delivery_that_came_twice_is_one(
    api: Api, runtime: Runtime, bank: Running, key: Key
) -> None:
    """The same JWT from many threads at once: all are told 200, one row, one run."""
    item_id = store_item(runtime, bank)
    body = updates_available(item_id)
    jwt = key.jwt(body)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: deliver(api.url, body, jwt).status_code, range(16)))
    assert answers == [200] * 16
    [row] = query(runtime, ROWS)
    assert (row.outcome, row.handled_at) == ("a run was requested", row.received_at)
    wait_until(lambda: runs(runtime, item_id)[0] in {"synced", "up_to_date"})
    assert len(runs(runtime, item_id)) == 1


def test_equal_bodies_are_events_of_their_own(
    api: Api, runtime: Runtime, bank: Running, key: Key
) -> None:
    """Two deliveries of one text are two rows: each was signed by itself."""
    body = updates_available(store_item(runtime, bank))
    for _ in range(2):
        assert deliver(api.url, body, key.jwt(body)).status_code == 200
    assert len(query(runtime, ROWS)) == 2


def test_where_plaid_can_not_be_asked_it_is_asked_to_send_again(
    api: Api, runtime: Runtime, plaid: PlaidKeys, key: Key
) -> None:
    """503 with Retry-After, never 401; the next attempt is taken."""
    plaid.refusal = (500, {"error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR"})
    for _ in range(2):
        answer = deliver(api.url, BODY, key.jwt(BODY))
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "webhook_undecided"
        assert int(answer.headers["Retry-After"]) > 0
    plaid.refusal = None
    assert deliver(api.url, BODY, key.jwt(BODY)).status_code == 200
    wait_until(lambda: refused(runtime) == {"undecided": 2})


def test_a_flood_of_made_up_keys_is_not_passed_on_to_plaid(
    api: Api, plaid: PlaidKeys, key: Key
) -> None:
    """Of a hundred names ten are asked about; a key that is known goes on to be believed."""
    assert deliver(api.url, BODY, key.jwt(BODY)).status_code == 200
    with ThreadPoolExecutor(8) as pool:
        jwts = [Key().jwt(BODY) for _ in range(100)]
        answers = list(pool.map(lambda jwt: deliver(api.url, BODY, jwt).status_code, jwts))
    assert set(answers) == {401, 503}
    assert (
        len(plaid.asked) <= 1 + 10 + 5
    )  # a refill in six seconds, and the test takes far less than 30
    assert deliver(api.url, BODY, key.jwt(BODY)).status_code == 200


def test_where_the_database_is_not_there_plaid_is_asked_to_send_again(
    api: Api, runtime: Runtime, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, not 500: Plaid sends it again, and then it is taken."""
    assert deliver(api.url, BODY, key.jwt(BODY)).status_code == 200
    body = updates_available("later")
    with monkeypatch.context() as broken:
        connect = psycopg.connect
        broken.setattr(psycopg, "connect", lambda *_, **__: connect("host=127.0.0.1 port=1"))
        runtime.database.engine.dispose()
        down = deliver(api.url, body, key.jwt(body))
    assert (down.status_code, down.json()["error"]["code"]) == (503, "database_lost")
    assert deliver(api.url, body, key.jwt(body)).status_code == 200


NO_JOBS = """
    CREATE FUNCTION bankloom.no_jobs() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no job today'; END $$;
    CREATE TRIGGER no_jobs BEFORE INSERT ON bankloom_jobs.procrastinate_jobs
        FOR EACH ROW EXECUTE FUNCTION bankloom.no_jobs();
"""


@pytest.mark.parametrize("code", ["SYNC_UPDATES_AVAILABLE", "ERROR"])
def test_a_delivery_is_stored_with_its_work_or_not_at_all(
    settings: Settings, bank: Running, key: Key, code: str
) -> None:
    """Where the work can't be queued the delivery is not accepted: Plaid sends it again."""
    with serving(settings, with_worker=False) as (api, runtime):
        item_id = store_item(runtime, bank)
        kind = "ITEM" if code == "ERROR" else "TRANSACTIONS"
        body = body_of(kind, code, item_id=item_id)
        jwt = key.jwt(body)
        query(runtime, NO_JOBS)
        assert deliver(api.url, body, jwt).is_server_error
        assert query(runtime, ROWS) == []
        query(runtime, "DROP FUNCTION bankloom.no_jobs() CASCADE")
        assert deliver(api.url, body, jwt).status_code == 200
        assert len(query(runtime, ROWS)) == len(jobs_of(runtime)) == 1


def test_a_delivery_for_an_item_of_tomorrow_waits_for_it(
    api: Api, runtime: Runtime, bank: Running, key: Key
) -> None:
    """What comes between Link and the exchange is kept, and handled in the exchange's commit."""
    soon = newcomer(api, bank, **person())
    early = [
        updates_available(soon.item_id),
        body_of("ITEM", "PENDING_DISCONNECT", item_id=soon.item_id),
    ]
    for body in early:
        assert deliver(api.url, body, key.jwt(body)).status_code == 200
    waiting = [(row.outcome, row.handled_at, row.next_try_at) for row in query(runtime, ROWS)]
    assert waiting == [("waits for its Item, which is not held", None, None)] * 2
    with holding(bank, "/item/get"):
        assert exchange(api, soon.public_token).status_code == 200
        sync, ask = query(runtime, ROWS)
        assert (sync.outcome, sync.handled_at is None) == ("a run was requested", False)
        assert (ask.outcome, ask.next_try_at is None) == (
            "waits for a run to ask /item/get",
            False,
        )


def test_an_item_webhook_makes_us_ask(api: Api, runtime: Runtime, bank: Running, key: Key) -> None:
    """It states nothing by itself: a run is queued that asks `/item/get`, and the delivery waits for it."""
    item_id = store_item(runtime, bank)
    body = body_of("ITEM", "ERROR", item_id=item_id, error={"error_code": "ITEM_LOGIN_REQUIRED"})
    with holding(bank, "/item/get", times=0):
        assert deliver(api.url, body, key.jwt(body)).status_code == 200
        [run] = query(runtime, "SELECT asks_item, trigger FROM sync_runs")
        [row] = query(runtime, ROWS)
    assert (run.asks_item, run.trigger) == (True, "webhook")
    assert row.handled_at is None
    assert row.next_try_at > row.received_at


NOTHING_TO_US = [
    body_of("AUTH", "DEFAULT_UPDATE", item_id="x"),
    body_of("MADE_UP", "BY_PLAID", anything=[1, {"a": None}]),
    body_of("ITEM", "WEBHOOK_UPDATE_ACKNOWLEDGED", item_id="x"),
    body_of("TRANSACTIONS", "MADE_UP", item_id="x"),
    body_of("TRANSACTIONS", "DEFAULT_UPDATE"),
]


def test_what_is_nothing_to_us_is_stored(api: Api, runtime: Runtime, key: Key) -> None:
    """Unknown types and codes, too, and those of another environment: acknowledged, and done with."""
    foreign = body_of("LINK", "SESSION_FINISHED").replace(b"sandbox", b"production")
    for body in (*NOTHING_TO_US, foreign):
        assert deliver(api.url, body, key.jwt(body)).status_code == 200
    rows = query(runtime, ROWS)
    assert [row.outcome for row in rows] == [
        *["stored only"] * len(NOTHING_TO_US),
        "stored only: of another Plaid environment",
    ]
    assert all(row.handled_at for row in rows)


def test_an_item_that_is_not_ours_any_more_is_left_alone(
    api: Api, runtime: Runtime, bank: Running, key: Key
) -> None:
    """Removed, or of another world: stored, and no run."""
    items = [store_item(runtime, bank) for _ in range(3)]
    changes = ("removed_at = now()", "client_id = 'another'", "environment = 'production'")
    for item_id, change in zip(items, changes, strict=True):
        query(runtime, f"UPDATE items SET {change} WHERE item_id = :id", id=item_id)  # noqa: S608 - the words above
        for body in (updates_available(item_id), body_of("ITEM", "ERROR", item_id=item_id)):
            assert deliver(api.url, body, key.jwt(body)).status_code == 200
    outcomes = Counter((row.outcome, row.handled_at is None) for row in query(runtime, ROWS))
    assert outcomes == {("stored only: the Item was removed, or is of another world", False): 6}
    assert query(runtime, "SELECT * FROM sync_runs") == []


def test_a_finished_link_session_waits_for_its_exchange(
    settings: Settings, plaid: PlaidKeys
) -> None:
    """The delivery is due at once, its tokens are sealed, and a job waits from the same commit on."""
    key = plaid.new_key()
    body = body_of("LINK", "ITEM_ADD_RESULT", link_token="link-1", public_token="public-1")
    with serving(settings, with_worker=False) as (api, runtime):
        assert deliver(api.url, body, key.jwt(body)).status_code == 200
        [row] = query(runtime, ROWS)
        jobs = query(runtime, "SELECT queue_name, status FROM procrastinate_jobs")
    assert (row.handled_at, row.next_try_at) == (None, row.received_at)
    assert "public-1" not in row.body_sealed
    assert [(job.queue_name, job.status) for job in jobs] == [("exchanges", "todo")]


def test_a_burst_makes_two_runs(settings: Settings, bank: Running, plaid: PlaidKeys) -> None:
    """What comes while an Item's first run is held at Plaid shares one more run, however much it is."""
    key = plaid.new_key()
    busy = settings.model_copy(update={"worker_concurrency": 8})
    with serving(busy) as (api, runtime), ThreadPoolExecutor(16) as pool:
        items = [store_item(runtime, bank) for _ in range(8)]

        def tell(number: int) -> int:
            body = updates_available(items[number % 8], number=number)
            return deliver(api.url, body, key.jwt(body)).status_code

        with holding(bank, "/accounts/get", times=8) as hold:
            answers = list(pool.map(tell, range(8)))
            hold.reached(8)
            answers += pool.map(tell, range(8, 160))
        assert answers == [200] * 160
        wait_until(lambda: not jobs_of(runtime))
        assert [len(runs(runtime, item_id)) for item_id in items] == [2] * 8


def test_slow_calls_never_delay_a_delivery(
    api: Api, runtime: Runtime, bank: Running, key: Key
) -> None:
    """While Plaid hangs, and more people open Link than there are threads, a webhook is taken in."""
    item_id = store_item(runtime, bank)
    with background() as call:
        with holding(bank, "/link/token/create", times=0) as hold:
            names = [f"person {number}" for number in range(MORE_THAN_ALL_THREADS)]
            slow = [call(api.post, "/plaid/link-token", user_id=name) for name in names]
            hold.reached(PLAID_CALLS_AT_ONCE)
            body = updates_available(item_id)
            assert deliver(api.url, body, key.jwt(body)).status_code == 200
            assert not any(each.done() for each in slow)
        assert {each.result().status_code for each in slow} == {200}


FORGED_BY_PLATYPUS = {
    "no_header": "no_signature",
    "two_headers": "two_signatures",
    "garbage": "malformed",
    "bad_signature": "bad_signature",
    "other_key": "bad_signature",
    "unknown_kid": "unknown_key",
    "expired_key": "expired_key",
    "alg_none": "wrong_algorithm",
    "hs256_public_key": "wrong_algorithm",
    "stale": "stale",
    "future": "from_the_future",
    "body_changed": "body_changed",
    "body_reencoded": "body_changed",
}


def test_platypus_is_believed_and_its_forgeries_are_not(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """The emulator signs with a library of its own, and so does its forger: the two sides agree."""
    url = f"{api.url}/plaid/webhook"
    good = {"webhook_type": "TRANSACTIONS", "webhook_code": "DEFAULT_UPDATE", "item_id": "x"}
    bank.control.send_webhook(good, url=url)
    bank.control.rotate_key()
    bank.control.send_webhook(good, url=url)
    for forgery in FORGED_BY_PLATYPUS:
        bank.control.send_webhook(good, url=url, forge=forgery)
    wait_until(lambda: sum(refused(runtime).values()) >= len(FORGED_BY_PLATYPUS))
    assert refused(runtime) == dict(Counter(FORGED_BY_PLATYPUS.values()))
    assert [row.webhook_code for row in query(runtime, ROWS)] == ["DEFAULT_UPDATE"] * 2
