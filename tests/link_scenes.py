"""Scenes around Link: update mode opened over the API, sessions looked at, polled and left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bankloom.services import poll_sessions
from harness import go_through_link, wait_until
from scenes import exchange, never, newcomer, person, query, states

if TYPE_CHECKING:
    import httpx

    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

TOKEN_GET_PATH = "/link/token/get"


class Linked(NamedTuple):
    """An Item with its tokens, as the app that exchanged it has them."""

    item_id: str
    access_token: str
    public_token: str


def linked_item(
    api: Api,
    bank: Running,
    products: list[str] | None = None,
    user: str = "ada",
    **choices: Any,
) -> Linked:
    """Link a bank for these products and wait until the first sync is over."""
    products = products or ["transactions"]
    new = newcomer(api, bank, user, products, **(choices or person()))
    told = [exchange(api, new.public_token, product).json() for product in products]
    wait_until(lambda: "transactions" not in products or is_ready(api, new.item_id))
    return Linked(new.item_id, told[0]["access_token"], new.public_token)


def is_ready(api: Api, item_id: str) -> bool:
    """Say whether the Item's transactions are synced."""
    return states(api).get(item_id, {}).get("transactions") == "ready"


def item_of(api: Api, item_id: str) -> dict[str, Any]:
    """Return the Item as it is listed."""
    found: list[dict[str, Any]] = api.get("/plaid/items", user_id="*").json()
    return next(item for item in found if item["item_id"] == item_id)


def update_mode(api: Api, item_id: str, reason: str = "repair", **more: Any) -> dict[str, Any]:
    """Open update mode; return the answer."""
    answer = api.post(f"/plaid/items/{item_id}/link-token", reason=reason, **more)
    assert answer.status_code == 200, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


def hosted_link(api: Api, user: str = "ada", products: list[str] | None = None) -> dict[str, Any]:
    """Open a hosted Link for new Items; return the answer."""
    products = products or ["transactions"]
    answer = api.post("/plaid/link-token", user_id=user, products=products, hosted=True)
    assert answer.status_code == 200, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


def repaired(api: Api, item_id: str, **more: Any) -> httpx.Response:
    """Say that the person came back from update mode."""
    return api.post(f"/plaid/items/{item_id}/repaired", **more)


def session_of(api: Api, opened: dict[str, Any]) -> dict[str, Any]:
    """Return what is shown of the session of a link token."""
    answer = api.get(f"/plaid/link-sessions/{opened['link_session_id']}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def decide(api: Api, opened: dict[str, Any], decision: str, **more: Any) -> httpx.Response:
    """Decide on the duplicates that a session holds."""
    path = f"/plaid/link-sessions/{opened['link_session_id']}/duplicates"
    return api.post(path, decision=decision, **more)


def poll(runtime: Runtime) -> None:
    """Let the time come at which Plaid is asked about every open session, and ask."""
    query(runtime, "UPDATE link_sessions SET poll_at = now() WHERE poll_at IS NOT NULL")
    poll_sessions.now(runtime, never)


def stop_polling(runtime: Runtime) -> None:
    """Leave it to webhooks to tell what becomes of sessions."""
    query(runtime, "UPDATE link_sessions SET poll_at = NULL")


def through(bank: Running, opened: dict[str, Any], **choices: Any) -> str:
    """Be the person in Link; return the public token."""
    return go_through_link(bank, opened["link_token"], **(choices or person()))
