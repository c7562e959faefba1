"""Opening Link: what Plaid is asked for, so that as few institutions as possible are hidden."""

from __future__ import annotations

import uuid
from contextlib import closing
from itertools import chain, permutations
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from bankloom.core.errors import InvalidProductsError
from bankloom.models import LinkSession
from bankloom.opening import open_runtime
from bankloom.services import open_link
from harness import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from gateway import Gateway

TOKEN = "link-sandbox-8ab976e6-64bc-4b38-98f7-731e7a349970"


@pytest.fixture
def parts(gateway: Gateway, database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """Parts whose Plaid answers every request for a link token, and keeps it."""
    answer_with(gateway, TOKEN)
    settings = settings_for(
        gateway.url, database_url, tmp_path, public_url="https://money.example/"
    )
    with closing(open_runtime(settings)) as runtime:
        yield runtime


def answer_with(gateway: Gateway, token: str) -> None:
    answer = f'{{"link_token": "{token}", "expiration": "2099-01-01T00:00:00Z"}}'
    gateway.answers(200, answer.encode())


def asked_for(parts: Runtime, gateway: Gateway, products: list[str]) -> dict[str, Any]:
    answer_with(gateway, f"link-sandbox-{uuid.uuid4()}")
    open_link.create_link_token(parts, "ada@example.com", products)
    return gateway.asked[-1]


@pytest.mark.parametrize(
    ("products", "first", "consented"),
    [
        (["transactions"], "transactions", []),
        (["liabilities"], "liabilities", []),
        (["liabilities", "transactions"], "transactions", ["liabilities"]),
        (["identity", "auth"], "auth", ["identity"]),
        (
            ["identity", "auth", "liabilities", "investments", "transactions"],
            "transactions",
            ["investments", "liabilities", "auth", "identity"],
        ),
    ],
)
def test_one_product_decides_who_is_shown(
    parts: Runtime, gateway: Gateway, products: list[str], first: str, consented: list[str]
) -> None:
    """The most widely supported product stands in `products`; the others are only consented to."""
    asked = asked_for(parts, gateway, products)
    assert asked["products"] == [first]
    assert asked.get("additional_consented_products", []) == consented
    assert {"required_if_supported_products", "optional_products"}.isdisjoint(asked)


def test_no_product_stands_in_two_arrays(parts: Runtime, gateway: Gateway) -> None:
    """Whatever is asked for, in any order: each product once, as Plaid demands."""
    names = open_link.LINKABLE_PRODUCTS[:3]
    for products in chain.from_iterable(permutations(names, size) for size in (1, 2, 3)):
        asked = asked_for(parts, gateway, list(products))
        everything = asked["products"] + asked.get("additional_consented_products", [])
        assert sorted(everything) == sorted(products)


def test_the_longest_history_is_asked_for(parts: Runtime, gateway: Gateway) -> None:
    """730 days, since it can't be raised later; and only where transactions are linked."""
    asked = asked_for(parts, gateway, ["transactions", "liabilities"])
    assert asked["transactions"] == {"days_requested": 730}
    assert "transactions" not in asked_for(parts, gateway, ["liabilities"])


def test_plaid_never_learns_who_it_is(parts: Runtime, gateway: Gateway) -> None:
    """To Plaid a person is our own opaque id, the same each time, and no e-mail address."""
    first = asked_for(parts, gateway, ["transactions"])["user"]
    assert first == asked_for(parts, gateway, ["transactions"])["user"]
    assert len(first["client_user_id"]) == 36
    assert "ada" not in str(gateway.asked)


def test_the_settings_reach_link(parts: Runtime, gateway: Gateway) -> None:
    """Client name, countries, language and webhook URL come from the settings; the rest is absent."""
    asked = asked_for(parts, gateway, ["transactions"])
    assert asked["client_name"] == "Bankloom"
    assert (asked["country_codes"], asked["language"]) == (["US"], "en")
    assert asked["webhook"] == "https://money.example/plaid/webhook"
    assert "redirect_uri" not in asked


def test_a_session_is_recorded_without_its_token(parts: Runtime) -> None:
    """The link token is stored sealed, beside a keyed hash that finds it again."""
    open_link.create_link_token(parts, "ada", ["transactions", "liabilities"])
    with parts.database.session() as session:
        link = session.scalars(select(LinkSession)).one()
    assert link.products == ["transactions", "liabilities"]
    assert link.link_token_hash == parts.keyring.hash(TOKEN)
    assert TOKEN not in (link.link_token_sealed or "")
    assert parts.keyring.open(link.link_token_sealed or "", str(link.user_id)) == TOKEN


@pytest.mark.parametrize(
    "products", [[], ["balance"], ["transactions", "transactions"], ["Transactions"], [""]]
)
def test_what_is_not_linkable_is_refused(
    parts: Runtime, gateway: Gateway, products: list[str]
) -> None:
    """Unknown, double, missing: refused by name before Plaid is asked, and nothing is stored."""
    with pytest.raises(InvalidProductsError) as caught:
        open_link.create_link_token(parts, "ada", products)
    assert all(product in caught.value.message for product in open_link.LINKABLE_PRODUCTS)
    assert gateway.asked == []
    with parts.database.session() as session:
        assert session.scalars(select(LinkSession)).all() == []
