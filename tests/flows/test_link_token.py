"""Opening Link: one token for every product, nothing of the person given away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.models import ApiKey, User
from scenes import ask_plaid, background, exchange, holding, newcomer, person, query

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

VALID = {"transactions", "investments", "liabilities", "auth", "identity"}


def test_one_token_covers_all_products(api: Api, bank: Running) -> None:
    """Only the most widely supported product narrows the banks; the others are consented to."""
    token = api.link_token(products=["liabilities", "transactions", "investments"])
    metadata = ask_plaid(bank, "/link/token/get", link_token=token)["metadata"]
    assert metadata["initial_products"] == ["transactions"]
    assert (metadata["client_name"], metadata["language"]) == ("Bankloom", "en")
    new = newcomer(api, bank, products=["liabilities", "transactions", "investments"], **person())
    item = next(each for each in bank.control.items() if each["item_id"] == new.item_id)
    assert item["products"] == ["transactions"]
    assert set(item["consented_products"]) == {"transactions", "liabilities", "investments"}


def test_transactions_is_the_default_product(api: Api, bank: Running) -> None:
    """Without products, Link is opened for transactions."""
    token = api.post("/plaid/link-token", user_id="ada").json()["link_token"]
    metadata = ask_plaid(bank, "/link/token/get", link_token=token)["metadata"]
    assert metadata["initial_products"] == ["transactions"]


def test_the_answer(api: Api, runtime: Runtime) -> None:
    """The token, until when it is good, our id of its session, and a URL only where one was asked for."""
    opened = api.post("/plaid/link-token", user_id="ada").json()
    assert set(opened) == {"link_token", "expiration", "hosted_link_url", "link_session_id"}
    assert opened["hosted_link_url"] is None
    shown = api.get(f"/plaid/link-sessions/{opened['link_session_id']}").json()
    assert shown["expires_at"] == opened["expiration"]
    assert (shown["state"], shown["hosted"]) == ("open", False)
    assert query(runtime, "SELECT poll_at FROM link_sessions") == [(None,)]


def test_impossible_products_are_named(api: Api, bank: Running) -> None:
    """Empty, duplicate, unknown and non-linkable products are refused, and the valid ones named."""
    for products in ([], ["balance"], ["auth", "auth"], ["transactions", "stocks"]):
        answer = api.post("/plaid/link-token", user_id="ada", products=products)
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert (error["code"], set(error["valid_products"])) == ("invalid_products", VALID)
    assert bank.control.calls() == []


def test_an_email_address_may_name_a_person(api: Api) -> None:
    """Plaid refuses e-mail addresses as user ids, so it is told an opaque id of ours."""
    assert api.link_token("ada@example.com")
    assert api.link_token("+1 415 555 0101")


def test_a_person_may_not_be_named_like_everyone(api: Api, runtime: Runtime) -> None:
    """`*` asks the lists for everyone, so nobody is called that."""
    assert api.post("/plaid/link-token", user_id="*").status_code == 422
    assert query(runtime, "SELECT * FROM users") == []


def test_the_link_token_is_sealed_and_wiped(api: Api, runtime: Runtime) -> None:
    """The session is kept with its token sealed, until Plaid can't be asked about it any more."""
    token = api.link_token(products=["transactions", "liabilities"])
    (session,) = query(runtime, "SELECT * FROM link_sessions")
    assert session.products == ["transactions", "liabilities"]
    assert token not in session.link_token_sealed
    assert token not in session.link_token_hash
    query(runtime, "UPDATE link_sessions SET expires_at = now() - interval '6 hours 1 minute'")
    api.link_token()
    sealed = query(runtime, "SELECT link_token_sealed FROM link_sessions ORDER BY created_at")
    assert [row.link_token_sealed is None for row in sealed] == [True, False]


def test_plaids_refusal_is_passed_on(api: Api, runtime: Runtime, bank: Running) -> None:
    """Where Plaid refuses, its codes and request id reach the caller, and no new user stays."""
    refusal = {"error_type": "INVALID_REQUEST", "error_code": "INVALID_FIELD"}
    bank.control.fault("/link/token/create", error=refusal)
    answer = api.post("/plaid/link-token", user_id="ada")
    assert answer.status_code == 502
    error = answer.json()["error"]
    assert (error["code"], error["error_type"], error["error_code"]) == (
        "plaid_error",
        "INVALID_REQUEST",
        "INVALID_FIELD",
    )
    assert error["request_id"] == bank.control.calls()[-1]["request_id"]
    assert query(runtime, "SELECT name FROM users") == []


def test_a_persons_key_links_for_that_person_only(
    api: Api, bank: Running, runtime: Runtime
) -> None:
    """A key bound to one person neither opens Link nor exchanges in another's name."""
    grace = newcomer(api, bank, "grace", **person())
    with runtime.database.session() as session:
        ada = User.get_or_create(session, "ada").id
        key = ApiKey.create(session, "ada's app", ada).text
    bound = type(api)(api.url, key)
    with bound.client:
        assert bound.post("/plaid/link-token", user_id="grace").status_code == 404
        assert bound.link_token("ada")
        for named in ({"user_id": "grace"}, {"link_token": grace.link_token}):
            refused = exchange(bound, grace.public_token, **named)
            assert refused.status_code in {404, 422}, refused.text
    assert bank.control.calls("/item/public_token/exchange") == []


def test_a_persons_key_is_never_told_an_access_token(
    api: Api, bank: Running, runtime: Runtime
) -> None:
    """Neither the exchange nor its repetition tells it; the Item's id does for every route."""
    with runtime.database.session() as session:
        ada = User.get_or_create(session, "ada").id
        key = ApiKey.create(session, "ada's app", ada).text
    bound = type(api)(api.url, key)
    with bound.client:
        link = newcomer(bound, bank, "ada", **person())
        for product in ("transactions", "liabilities"):
            answer = exchange(bound, link.public_token, product=product).json()
            assert answer["access_token"] is None
        assert bound.post("/plaid/sync", item_id=answer["item_id"]).status_code == 200
    told = exchange(api, link.public_token).json()
    assert told["access_token"].startswith("access-sandbox-")


def test_a_refused_exchange_while_link_is_opened(api: Api, bank: Running) -> None:
    """A refused call leaves nothing behind, and takes nobody from under another call's feet."""
    unknown = "public-sandbox-00000000-0000-0000-0000-000000000000"
    with holding(bank, "/link/token/create") as hold, background() as start:
        opening = start(api.link_token, "grace")
        hold.reached()
        assert exchange(api, unknown, user_id="grace").status_code == 400
        hold.release()
        opening.result()
