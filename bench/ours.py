"""Our side: the real sync of an Item, from its first request to committed rows."""

from __future__ import annotations

import base64
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlalchemy import select

from bankloom.core import clock
from bankloom.core.settings import PlaidSettings, Settings
from bankloom.models import Item, ItemProduct, ProductState, RunStatus, SyncRun, User
from bankloom.services import request_run, sync_item
from bankloom.services.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ITEM_ID = "the-item-of-the-bench"
_KEY = base64.b64encode(bytes(32)).decode()
KEYRING = f"main:{_KEY},index:{_KEY}"  # one for all processes: a later one opens the token again


def ingest(pages_url: str, database_url: str, access_token: str) -> float:
    """Link an Item and run its first sync; return the seconds of the run."""
    with opened(pages_url, database_url) as runtime:
        put_item(runtime, access_token)
        return timed_sync(runtime)


@contextmanager
def opened(pages_url: str, database_url: str) -> Iterator[Runtime]:
    """Open the service's parts over the pages server and a database."""
    plaid = PlaidSettings(
        client_id="bench", secret=SecretStr("bench"), base_url=pages_url, _env_file=None
    )
    settings = Settings(
        plaid=plaid,
        database_url=SecretStr(database_url),
        encryption_keys=SecretStr(KEYRING),
        rate_limits="off",  # the figures are ours, not those of Plaid's 50 pages a minute
        _env_file=None,
    )
    runtime = Runtime.open(settings)
    try:
        yield runtime
    finally:
        runtime.close()


def put_item(runtime: Runtime, access_token: str, item_id: str = ITEM_ID) -> None:
    """Store an Item as an exchange would leave it."""
    with runtime.database.session() as session:
        user = User.get_or_create(session, "bench")
        session.add(
            Item(
                item_id=item_id,
                user_id=user.id,
                access_token_sealed=runtime.keyring.seal(access_token, item_id),
                access_token_hash=runtime.keyring.hash(access_token),
                **runtime.plaid.world._asdict(),
            )
        )
        session.flush()
        ItemProduct.add(session, item_id, "transactions", ProductState.REQUESTED, None)


def timed_sync(runtime: Runtime) -> float:
    """Ask for a run of the Item, run it, and return the seconds of the run."""
    with runtime.database.session() as session:
        run_id = request_run.request(session, ITEM_ID, "bench")
    started = time.perf_counter()
    sync_item.now(runtime, ITEM_ID, lambda: False)
    seconds = time.perf_counter() - started
    with runtime.database.session() as session:
        run = session.get_one(SyncRun, run_id)
    if run.status != RunStatus.SYNCED:
        raise RuntimeError(f"the run did not sync: {run.status} {run.error_message}")
    return seconds


def make_due(runtime: Runtime, item_id: str) -> None:
    """Make the Item due without waking anybody."""
    with runtime.database.session() as session:
        ItemProduct.make_due(session, item_id, clock.now())


def request_all(runtime: Runtime, item_ids: Sequence[str]) -> None:
    """Ask for a run of every Item, in one commit."""
    with runtime.database.session() as session:
        for item_id in item_ids:
            request_run.request(session, item_id, "bench")


def all_ended_at(runtime: Runtime, item_ids: Sequence[str]) -> float | None:
    """Return when the last run of these Items ended, as `time.time()` has it; None where one has not."""
    runs = select(SyncRun.finished_at).where(SyncRun.item_id.in_(item_ids))
    with runtime.database.session() as session:
        ends = session.scalars(runs).all()
    done = [end.timestamp() for end in ends if end is not None]
    return max(done) if len(done) == len(ends) else None
