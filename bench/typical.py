"""The usual way: plaid-python's typed responses, and the ORM's `merge` row by row, as sample apps do.

Both are left as they come: the client with its default configuration, a session that commits once
a page. The table has the columns of ours that the typed response fills, and no raw payload.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import plaid
from plaid.api.plaid_api import PlaidApi
from plaid.model.transactions_sync_request import TransactionsSyncRequest
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNT = 500


class _Base(DeclarativeBase):
    """The registry of the one table."""


class _Transaction(_Base):
    __tablename__ = "typical"
    __table_args__ = {"schema": "public"}  # noqa: RUF012 - SQLAlchemy's own form

    transaction_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    pending_transaction_id: Mapped[str | None]
    amount: Mapped[float]
    iso_currency_code: Mapped[str | None]
    unofficial_currency_code: Mapped[str | None]
    date: Mapped[dt.date]
    authorized_date: Mapped[dt.date | None]
    name: Mapped[str | None]
    merchant_name: Mapped[str | None]
    pending: Mapped[bool]
    payment_channel: Mapped[str | None]
    category_primary: Mapped[str | None]
    category_detailed: Mapped[str | None]


def ingest(pages_url: str, database_url: str, access_token: str) -> float:
    """Fetch and store every page; return the seconds from the first request to the last commit."""
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
    _Base.metadata.create_all(engine)
    with Session(engine) as session:
        started = time.perf_counter()
        for added in _pages(pages_url, access_token):
            for told in added:
                session.merge(_row(told))
            session.commit()
        seconds = time.perf_counter() - started
    engine.dispose()
    return seconds


def _pages(url: str, access_token: str) -> Iterator[list[Any]]:
    configuration = plaid.Configuration(host=url, api_key={"clientId": "bench", "secret": "bench"})
    api = PlaidApi(plaid.ApiClient(configuration))
    cursor, has_more = "", True
    while has_more:
        request = TransactionsSyncRequest(access_token=access_token, cursor=cursor, count=_COUNT)
        page = api.transactions_sync(request)
        yield page.added
        cursor, has_more = page.next_cursor, page.has_more


def _row(told: Any) -> _Transaction:  # noqa: ANN401 - plaid-python's models are untyped
    category = told.personal_finance_category
    return _Transaction(
        transaction_id=told.transaction_id,
        account_id=told.account_id,
        pending_transaction_id=told.pending_transaction_id,
        amount=told.amount,
        iso_currency_code=told.iso_currency_code,
        unofficial_currency_code=told.unofficial_currency_code,
        date=told.date,
        authorized_date=told.authorized_date,
        name=told.name,
        merchant_name=told.merchant_name,
        pending=told.pending,
        payment_channel=told.payment_channel,
        category_primary=category.primary if category else None,
        category_detailed=category.detailed if category else None,
    )
