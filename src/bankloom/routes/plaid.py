"""The Plaid contract: link, exchange, list, sync. See docs/routes/plaid.md."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from bankloom.core.errors import (
    ExchangeInProgressError,
    InvalidRequestError,
    NotFoundError,
    UnknownLinkTokenError,
    UnknownPublicTokenError,
)
from bankloom.models import Account, TransactionFilter, page_of_transactions
from bankloom.routes import answers, link_shapes, shapes
from bankloom.routes.access import MayLink, MayRead, MaySync
from bankloom.routes.answers import JsonAnswer
from bankloom.routes.threads import ThreadsDep
from bankloom.services import link_item, open_link, request_run, show_run
from bankloom.services.api_access import Caller
from bankloom.services.exchange_token import Linked
from bankloom.services.find_linker import UpdateModeTokenError
from bankloom.services.open_link import OpenedLink
from bankloom.services.runtime import Runtime

router = APIRouter(prefix="/plaid", tags=["plaid"])

TWIN_SECONDS_MAX = 25  # how long one of two calls with the same public token waits for the other
TWIN_POLL_SECONDS = 0.1
AMOUNT_DIGITS_MAX = 38  # more than any money has, and far from what a database number can't hold

Amount = Annotated[Decimal | None, Query(allow_inf_nan=False, max_digits=AMOUNT_DIGITS_MAX)]


@router.post(
    "/link-token", response_model=link_shapes.LinkTokenAnswer, responses=shapes.errors(404, 502)
)
async def create_link_token(
    body: link_shapes.LinkTokenRequest, call: MayLink, threads: ThreadsDep
) -> dict[str, Any]:
    """Make one link token for every product asked for."""
    opened = await threads.call_plaid(_create_link_token, *call, body)
    return opened._asdict()


def _create_link_token(
    runtime: Runtime, caller: Caller, body: link_shapes.LinkTokenRequest
) -> OpenedLink:
    with runtime.database.session() as session:
        caller.person(session, body.user_id)
    return open_link.create_link_token(runtime, body.user_id, body.products, hosted=body.hosted)


@router.post(
    "/exchange", response_model=shapes.ExchangeAnswer, responses=shapes.errors(404, 409, 502)
)
async def exchange(
    body: shapes.ExchangeRequest,
    call: MayLink,
    threads: ThreadsDep,
    response: Response,
) -> dict[str, str | None]:
    """Exchange a public token; call it once for each product, with the same token."""
    response.headers["Cache-Control"] = "no-store"
    deadline = time.monotonic() + TWIN_SECONDS_MAX
    while True:
        try:
            return await threads.call_plaid(_exchange, *call, body)
        except ExchangeInProgressError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(TWIN_POLL_SECONDS)


def _exchange(
    runtime: Runtime, caller: Caller, body: shapes.ExchangeRequest
) -> dict[str, str | None]:
    with runtime.database.session() as session:
        user_name = caller.person(session, body.user_id)
    asked = link_item.ExchangeRequest(
        body.public_token, body.product, user_name, body.link_token, body.allow_duplicate
    )
    if not caller.may_see_tokens:
        return _exchange_of_a_person(runtime, asked)._asdict() | {"access_token": None}
    linked = link_item.exchange(runtime, asked)
    link_item.note_told(runtime, linked)
    return linked._asdict()


def _exchange_of_a_person(runtime: Runtime, asked: link_item.ExchangeRequest) -> Linked:
    """Exchange for a key that reaches one user: a token of another's is not there, nor who has it."""
    try:
        return link_item.exchange(runtime, asked)
    except UpdateModeTokenError:
        raise
    except (UnknownPublicTokenError, UnknownLinkTokenError) as error:
        raise NotFoundError(
            "This user has no such public token or link token here: it is unknown, expired, spent, "
            "or of somebody else. Open Link again for a new one."
        ) from error


@router.get("/accounts", response_model=list[shapes.AccountAnswer], responses=shapes.errors(404))
def list_accounts(
    call: MayRead,
    user_id: shapes.UserFilter = None,
    item_id: shapes.Text | None = None,
) -> JsonAnswer:
    """List accounts with their balances, those of the bank linked first on top."""
    with call.runtime.database.session() as session:
        user = call.caller.scope(session, user_id, item_id=item_id)
        rows = Account.listing(session, user, item_id)
    return JsonAnswer([answers.account_json(row) for row in rows])


@router.get("/transactions", response_model=shapes.TransactionsAnswer, responses=shapes.errors(404))
def list_transactions(  # noqa: PLR0913, PLR0917 - one parameter a documented filter
    call: MayRead,
    user_id: shapes.UserFilter = None,
    item_id: shapes.Text | None = None,
    account_id: Annotated[list[shapes.Text], Query(max_length=100)] = [],  # noqa: B006 - FastAPI copies it
    start_date: shapes.Day | None = None,
    end_date: shapes.Day | None = None,
    pending: bool | None = None,  # noqa: FBT001 - a query parameter
    personal_finance_category: shapes.Text | None = None,
    min_amount: Amount = None,
    max_amount: Amount = None,
    q: shapes.Text | None = None,
    limit: shapes.PageLimit = 100,
    cursor: shapes.Text | None = None,
) -> JsonAnswer:
    """List transactions, newest first; dates and amounts are inclusive, `q` searches the names."""
    after = (
        answers.read_page_cursor(cursor, date.fromisoformat, answers.plaid_id) if cursor else None
    )
    with call.runtime.database.session() as session:
        wanted = TransactionFilter(
            user_id=call.caller.scope(session, user_id, item_id=item_id, account_ids=account_id),
            item_id=item_id,
            account_ids=tuple(account_id),
            start_date=start_date,
            end_date=end_date,
            pending=pending,
            category=personal_finance_category,
            min_amount=min_amount,
            max_amount=max_amount,
            q=q,
        )
        rows = page_of_transactions(session, wanted, after, limit + 1)
    page = rows[:limit]
    more = len(rows) > limit
    return JsonAnswer(
        {
            "transactions": [answers.transaction_json(row) for row in page],
            "next_cursor": answers.page_cursor(page[-1][0].date, page[-1][0].transaction_id)
            if more
            else None,
        }
    )


@router.post("/sync", response_model=shapes.SyncAnswer, responses=shapes.sync_answers())
async def sync(body: shapes.SyncRequest, call: MaySync) -> JsonAnswer:
    """Ask for a run of the Item and wait for it: 202 where it has not ended within 25 s."""
    run_id = await asyncio.to_thread(_request_run, *call, body)
    seconds = show_run.WAIT_SECONDS_MAX if body.wait else 0
    return answers.sync_answer(await show_run.wait_for_run(call.runtime, run_id, seconds))


def _request_run(runtime: Runtime, caller: Caller, body: shapes.SyncRequest) -> uuid.UUID:
    if (body.item_id is None) == (body.access_token is None):
        raise InvalidRequestError("Name the Item by exactly one of item_id and access_token.")
    token_hash = runtime.keyring.hash(body.access_token) if body.access_token else None
    with runtime.database.session() as session:
        item = caller.item(session, body.item_id, token_hash)
        return request_run.by_person(runtime, session, item, allow_removals=body.allow_removals)
