"""The audit log over HTTP: every action leaves exactly its entry, and only an admin's key reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bankloom.models import ApiKey, Scope
from bankloom.services import import_item, retry_items
from bankloom.services.audit import Action
from harness import Api, serving, wait_until
from link_scenes import decide, hosted_link, poll, through, update_mode
from scenes import exchange, person, query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


@pytest.fixture
def service(settings: Settings) -> Iterator[tuple[Api, Runtime]]:
    """The service without a worker: what is asked of it happens, and nothing else."""
    with serving(settings, with_worker=False) as running_service:
        yield running_service


def entries(api: Api, **params: Any) -> list[dict[str, Any]]:
    """Return the newest entries, the oldest first."""
    answer = api.get("/audit", **params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found[::-1]


class Since:
    """Tells what was noted since it was asked the last time."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._seen = len(entries(api))

    def actions(self) -> list[str]:
        """Return the actions that were noted."""
        found = entries(self._api)
        new, self._seen = found[self._seen :], len(found)
        return [entry["action"] for entry in new]


def test_every_action_leaves_its_entry(api: Api, runtime: Runtime, bank: Running) -> None:
    """Exactly one, with who did it and to what; a call that is refused leaves none."""
    since = Since(api)
    public_token = through(bank, {"link_token": api.link_token()})
    assert since.actions() == ["link_token.created"]
    told = exchange(api, public_token).json()
    item_id = told["item_id"]
    assert since.actions() == ["item.linked", "token.told"]
    exchange(api, public_token, "liabilities")
    assert since.actions() == ["item.linked", "token.told"]
    exchange(api, public_token, "liabilities")
    assert since.actions() == ["token.told"]
    run_id = api.sync(item_id, wait=False)["run_id"]
    assert since.actions() == ["sync.asked"]
    api.client.post(f"/plaid/runs/{run_id}/cancel")
    assert since.actions() == ["run.cancelled"]
    assert api.post(f"/plaid/items/{item_id}/refresh").status_code == 202
    assert since.actions() == ["item.refreshed"]
    update_mode(api, item_id)
    assert since.actions() == ["link_token.created"]
    api.post(f"/plaid/items/{item_id}/repaired", wait=False)
    assert since.actions() == ["item.repaired"]
    retry_items.one(runtime, item_id)
    assert since.actions() == ["sync.asked"]
    wanted = import_item.Wanted.parse(f"{told['access_token']} ada transactions,auth")
    import_item.now(runtime, wanted)
    import_item.now(runtime, wanted)  # which changes nothing
    assert since.actions() == ["item.imported"]
    refused = (
        api.post("/plaid/exchange", public_token="public-sandbox-none", product="transactions"),
        api.post("/plaid/sync", item_id="nobody's"),
        api.post("/plaid/link-token", user_id="ada", products=["none"]),
        api.client.get("/audit", headers={"Authorization": "Bearer wrong"}),
    )
    assert [answer.status_code for answer in refused if answer.status_code < 400] == []
    assert since.actions() == []
    (first, *_) = entries(api, item_id=item_id)
    assert (first["action"], first["actor"], first["user_id"]) == ("item.linked", "settings", "ada")
    assert first["facts"]["products"] == ["transactions"]
    secrets = (public_token, told["access_token"], "test-secret", api.key)
    log = api.get("/audit").text
    assert [secret for secret in secrets if secret in log] == []


def test_keys_leave_entries(api: Api, runtime: Runtime) -> None:
    """Who made, minted and revoked which, and who was it: an entry's actor is the key's beginning."""
    with runtime.database.session() as session:
        text, row = ApiKey.create(session, "an admin", scopes=[Scope.ADMIN])
    admin = {"Authorization": f"Bearer {text}"}
    minted = api.client.post("/keys", json={"user_id": "ada"}, headers=admin).json()
    for _ in range(2):  # the second time changes nothing
        api.client.delete(f"/keys/{minted['key_id']}", headers=admin)
    made, revoked = entries(api, actor=row.prefix)
    assert (made["action"], revoked["action"]) == ("key.minted", "key.revoked")
    assert made["facts"]["key"] == revoked["facts"]["key"] == minted["prefix"]
    assert made["user_id"] == "ada"


def test_a_decision_leaves_an_entry(api: Api, runtime: Runtime, bank: Running) -> None:
    """A duplicate that is linked all the same says so; so does one that is discarded."""
    item_id = exchange(api, through(bank, {"link_token": api.link_token()})).json()["item_id"]
    first, second = hosted_link(api), hosted_link(api)
    for opened in (first, second):
        through(bank, opened)
    poll(runtime)
    since = Since(api)
    assert decide(api, first, "link").status_code == 200
    assert since.actions() == ["item.linked"]
    assert entries(api)[-1]["facts"]["though_duplicate"] is True
    assert decide(api, second, "discard").status_code == 200
    assert since.actions() == ["duplicate.discarded"]
    assert entries(api)[-1]["item_id"] == item_id


def test_what_comes_by_itself_is_not_noted(settings: Settings, bank: Running) -> None:
    """Webhooks and the runs that they and schedules ask for cost not one entry."""
    with serving(settings, gets_webhooks=True) as (api, runtime):
        item_id = api.link(bank, **person())
        api.sync_until_complete(item_id)
        since = Since(api)
        by_webhook = "SELECT id FROM sync_runs WHERE trigger = 'webhook'"
        before = len(query(runtime, by_webhook))
        bank.control.bulk(item_id, 5)
        wait_until(lambda: len(query(runtime, by_webhook)) > before)
        assert since.actions() == []


def test_only_an_admins_key_reads_it(api: Api, runtime: Runtime) -> None:
    """Not a user's, which can't be admin, nor one of other scopes."""
    api.link_token()
    with runtime.database.session() as session:
        reader = ApiKey.create(session, "reader", scopes=[Scope.READ, Scope.SYNC, Scope.LINK]).text
    minted = api.post("/keys", user_id="ada", scopes=["read", "sync", "link"]).json()["key"]
    for key in (reader, minted):
        answer = api.client.get("/audit", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 403


def test_what_a_users_key_does_is_noted(api: Api, bank: Running) -> None:
    """Behind the second wall too, whose role may write entries and read none; no token was told."""
    minted = api.post("/keys", user_id="ada", scopes=["read", "sync", "link"]).json()
    ada = Api(api.url, minted["key"])
    with ada.client:
        item_id = ada.link(bank, **person())
        assert ada.sync(item_id, wait=False)["status"] == "queued"
    noted = [entry["action"] for entry in entries(api, actor=minted["prefix"])]
    assert noted == ["link_token.created", "item.linked", "sync.asked"]


def test_it_is_paged_and_narrowed(api: Api) -> None:
    """Each entry on one page, newest first; every filter keeps what it says; no filter is made up."""
    for user in ("ada", "grace", "ada"):
        api.link_token(user)
    everything = api.get("/audit").json()["entries"]
    paged: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/audit", limit=2, **cursor).json()
        paged += page["entries"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == everything
    assert len({entry["entry_id"] for entry in paged}) == len(paged) == 3
    newest = everything[0]["at"]
    assert entries(api, since=newest) == everything[:1]
    assert entries(api, actor="nobody") == entries(api, action=Action.TOKEN_TOLD) == []
    assert api.get("/audit", since="2026-11-25T00:00:00").status_code == 422
    assert api.get("/audit", user_id="ada").status_code == 422
