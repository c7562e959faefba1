"""API keys over HTTP: who may mint, list and revoke them, and what a minted one is good for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bankloom.core import clock
from bankloom.models import ApiKey, Scope
from bankloom.services import prune
from scenes import query
from workers import store_item

if TYPE_CHECKING:
    from httpx import Response

    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

Still = tuple["Api", "Runtime"]


def new_key(runtime: Runtime, *scopes: Scope, **more: Any) -> str:
    with runtime.database.session() as session:
        return ApiKey.create(session, "a key", scopes=scopes, **more).text


def ask(api: Api, key: str, method: str, path: str, **body: Any) -> Response:
    headers = {"Authorization": f"Bearer {key}"}
    return api.client.request(method, path, headers=headers, json=body or None)


def mint(api: Api, key: str, **body: Any) -> dict[str, Any]:
    answer = ask(api, key, "POST", "/keys", **({"user_id": "ada"} | body))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_minted_key_reaches_its_user_for_a_while(still: Still, bank: Running) -> None:
    """It is read-only unless more was asked for, ends by itself, and no cache keeps it."""
    api, runtime = still
    item_id = store_item(runtime, bank)
    admin = new_key(runtime, Scope.ADMIN)
    answer = ask(api, admin, "POST", "/keys", user_id="ada")
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    assert (told["scopes"], told["user_id"], told["minted"]) == (["read"], "ada", True)
    assert told["key"].startswith(told["prefix"])
    ends = datetime.fromisoformat(told["expires_at"]) - datetime.fromisoformat(told["created_at"])
    assert abs(ends - timedelta(seconds=900)) < timedelta(seconds=5)
    (item,) = ask(api, told["key"], "GET", "/plaid/items").json()
    assert item["item_id"] == item_id
    assert ask(api, mint(api, admin, user_id="grace")["key"], "GET", "/plaid/items").json() == []
    refused = ask(api, told["key"], "POST", "/plaid/sync", item_id=item_id)
    assert (refused.status_code, refused.json()["error"]["scope"]) == (403, "sync")
    query(runtime, "UPDATE api_keys SET expires_at = now() WHERE prefix = :p", p=told["prefix"])
    assert ask(api, told["key"], "GET", "/plaid/items").status_code == 401


def test_a_minted_key_does_not_outlive_what_minted_it(still: Still) -> None:
    """Neither its end nor its revocation; another key's are not touched."""
    api, runtime = still
    soon = clock.now() + timedelta(minutes=2)
    admin = new_key(runtime, Scope.ADMIN, expires_at=soon)
    first = mint(api, admin, seconds=86_400)
    assert datetime.fromisoformat(first["expires_at"]) == soon
    other = mint(api, api.key)
    key_id = ask(api, api.key, "GET", "/keys").json()[-1]["key_id"]
    assert ask(api, api.key, "DELETE", f"/keys/{key_id}").status_code == 204
    for dead in (admin, first["key"]):
        assert ask(api, dead, "GET", "/plaid/items").status_code == 401
    assert ask(api, other["key"], "GET", "/plaid/items").status_code == 200


UNMINTABLE: list[dict[str, Any]] = [
    {"scopes": ["admin"]},
    {"scopes": []},
    {"scopes": ["write"]},
    {"seconds": 59},
    {"seconds": 86_401},
    {"user_id": "*"},
    {"user_id": None},
    {"prefix": "bl_mine"},
]


def test_what_can_not_be_minted(still: Still) -> None:
    """No admin, no key without a scope or for everyone, none for longer than a day; nothing is made."""
    api, _ = still
    for body in UNMINTABLE:
        answer = ask(api, api.key, "POST", "/keys", **({"user_id": "ada"} | body))
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request"), (
            body
        )
    assert ask(api, api.key, "GET", "/keys").json() == []


def test_only_admin_handles_keys(still: Still) -> None:
    """Not even a service key with every other scope."""
    api, runtime = still
    others = new_key(runtime, Scope.READ, Scope.SYNC, Scope.LINK)
    for method, path, body in (
        ("POST", "/keys", {"user_id": "ada"}),
        ("GET", "/keys", {}),
        ("DELETE", "/keys/0b6fd9a5-1f4f-4f2a-9d0e-5a1f4f1f6c1e", {}),
    ):
        refused = ask(api, others, method, path, **body)
        assert (refused.status_code, refused.json()["error"]["scope"]) == (403, "admin")
    unknown = ask(api, api.key, "DELETE", "/keys/0b6fd9a5-1f4f-4f2a-9d0e-5a1f4f1f6c1e")
    assert unknown.status_code == 404


def test_when_a_key_was_last_used_is_known_to_the_minute(still: Still) -> None:
    """The first use is noted; the next ones within a minute cost no write."""
    api, runtime = still
    reader = new_key(runtime, Scope.READ)
    assert ask(api, api.key, "GET", "/keys").json()[0]["last_used_at"] is None
    ask(api, reader, "GET", "/plaid/items")
    used = ask(api, api.key, "GET", "/keys").json()[0]["last_used_at"]
    assert clock.now() - datetime.fromisoformat(used) < timedelta(minutes=1)
    ask(api, reader, "GET", "/plaid/items")
    assert ask(api, api.key, "GET", "/keys").json()[0]["last_used_at"] == used
    query(runtime, "UPDATE api_keys SET last_used_at = now() - interval '61 s'")
    ask(api, reader, "GET", "/plaid/items")
    assert ask(api, api.key, "GET", "/keys").json()[0]["last_used_at"] > used


def test_old_minted_keys_are_forgotten(still: Still) -> None:
    """A front end makes many; lasting keys stay in the list however old they are."""
    api, runtime = still
    lasting = new_key(runtime, Scope.READ, expires_at=clock.now())
    for _ in range(3):
        mint(api, api.key)
    query(
        runtime,
        """
        UPDATE api_keys SET expires_at = now() - interval '31 days'
        WHERE NOT minted OR id IN (SELECT id FROM api_keys WHERE minted LIMIT 2)
        """,
    )
    query(runtime, "DELETE FROM chores")
    prune.now(runtime)
    left = [key["prefix"] for key in ask(api, api.key, "GET", "/keys").json()]
    assert len(left) == 2
    assert lasting[:11] in left
