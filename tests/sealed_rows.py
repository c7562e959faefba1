"""Rows of every table that holds sealed values, whose secrets tell whose they are; and a look at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from bankloom.core.keyring_file import KeyringFile
from bankloom.models import SEALED, User
from bankloom.services.keyrings import check
from scenes import query

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from bankloom.core.keyring import Keyring
    from bankloom.services.runtime import Runtime

AN_ITEM = """
    INSERT INTO items (item_id, user_id, environment, base_url, client_id, access_token_sealed,
                       access_token_hash, run_id)
    VALUES (:id, :user_id, :environment, :base_url, :client_id, :sealed, :hash, gen_random_uuid())
"""
A_CLAIM = """
    INSERT INTO exchange_claims (public_token_hash, public_token_sealed, user_id, world, product,
                                 lease_until)
    VALUES (:hash, :sealed, :user_id, 'world', 'transactions', now())
"""
A_LINK = """
    INSERT INTO link_sessions (user_id, world, products, link_token_sealed, link_token_hash, expires_at)
    VALUES (:user_id, 'world', '{transactions}', :sealed, :hash, now())
"""
A_DELIVERY = """
    INSERT INTO webhook_deliveries (jwt_hash, kid, issued_at, received_at, webhook_type, webhook_code,
                                    body_sealed)
    VALUES (:id, 'kid', now(), now(), 'TRANSACTIONS', 'SYNC_UPDATES_AVAILABLE', :sealed)
"""


def add_item(runtime: Runtime, session: Session, user_id: uuid.UUID, name: str) -> None:
    """Add an Item of this id, with a run at work."""
    secret = f"access-sandbox-{name}"
    sealed, keyed_hash = runtime.keyring.seal(secret, name), runtime.keyring.hash(secret)
    values = {"id": name, "user_id": user_id, "sealed": sealed, "hash": keyed_hash}
    session.execute(text(AN_ITEM), values | runtime.plaid.world._asdict())


def add_claim(runtime: Runtime, session: Session, user_id: uuid.UUID, name: str) -> None:
    """Add a claim of a public token."""
    secret = f"public-sandbox-{name}"
    keyed_hash = runtime.keyring.hash(secret)
    sealed = runtime.keyring.seal(secret, keyed_hash)
    session.execute(text(A_CLAIM), {"hash": keyed_hash, "sealed": sealed, "user_id": user_id})


def add_link(runtime: Runtime, session: Session, user_id: uuid.UUID, name: str) -> None:
    """Add a Link session."""
    secret = f"link-sandbox-{name}"
    sealed, keyed_hash = runtime.keyring.seal(secret, str(user_id)), runtime.keyring.hash(secret)
    session.execute(text(A_LINK), {"hash": keyed_hash, "sealed": sealed, "user_id": user_id})


def add_delivery(runtime: Runtime, session: Session, _user_id: uuid.UUID, name: str) -> None:
    """Add a webhook delivery."""
    sealed = runtime.keyring.seal(body_of(name), name)
    session.execute(text(A_DELIVERY), {"id": name, "sealed": sealed})


def body_of(name: str) -> str:
    """Return the body of the delivery of that name."""
    return f"the body of {name}"


ADDERS: dict[str, Callable[[Runtime, Session, uuid.UUID, str], None]] = {
    "items": add_item,
    "exchange_claims": add_claim,
    "link_sessions": add_link,
    "webhook_deliveries": add_delivery,
}


def add_rows(runtime: Runtime, count: int, *tables: str, prefix: str = "row") -> None:
    """Add so many rows to these tables, or to each that holds sealed values."""
    with runtime.database.session() as session:
        user_id = User.get_or_create(session, "ada").id
        for number in range(count):
            for table in tables or ADDERS:
                ADDERS[table](runtime, session, user_id, f"{prefix}-{number}")


def counts(runtime: Runtime) -> dict[str, int]:
    """Prove that every value opens and is the right one; count the values by key."""
    broken: list[object] = []
    checked = check.now(runtime.database, runtime.keyring, lambda *each: broken.append(each))
    assert broken == []
    for row in query(runtime, "SELECT jwt_hash, body_sealed FROM webhook_deliveries"):
        assert runtime.keyring.open(row.body_sealed, row.jwt_hash) == body_of(row.jwt_hash)
    by_key: dict[str, int] = {}
    for (_, name), count in checked.values.items():
        by_key[name] = by_key.get(name, 0) + count
    return by_key


def add_key(runtime: Runtime, name: str) -> None:
    """Put a fresh key behind the others, and let this process take it up."""
    KeyringFile.of(runtime.settings.data_dir).add(name)
    reread(runtime.keyring)


def reread(keyring: Keyring) -> None:
    """Let a process look at the file now, instead of at its next heartbeat."""
    assert keyring.reread is not None
    keyring.reread()


COLUMNS = len(SEALED)
