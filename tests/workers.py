"""Workers and their work: `bankloom worker` as a process, Items to sync, a look at the job engine."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bankloom.models import Item, ItemProduct, ProductState, User
from bankloom.services import jobs, request_run
from commands import COMMAND
from harness import environment_for, wait_until
from scenes import person, query, sandbox_public_token

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

QUEUES = 3
START_SECONDS_MAX = 60  # a process imports for a second, and a busy machine makes that many

LEFT_BEHIND = """
    WITH job AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id)
        VALUES ('items', 'sync_item', :item_id,
                jsonb_build_object('item_id', CAST(:item_id AS text)), 'doing', :worker_id)
        RETURNING id
    )
    INSERT INTO procrastinate_events (job_id, type, at)
    SELECT id, 'started', now() - interval '10 minutes' FROM job
"""


class WorkerProcess:
    """`bankloom worker`, to be killed, frozen, or asked to leave."""

    def __init__(self, settings: Settings, log: Path, *arguments: str) -> None:
        self.log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [*COMMAND, "worker", *arguments],
                env={**os.environ, **environment_for(settings)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def tell(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self, how: signal.Signals, seconds: float = 30) -> int:
        """Send a last signal and return the exit code."""
        self.tell(how)
        return self.process.wait(seconds)


@contextmanager
def workers(
    runtime: Runtime, folder: Path, count: int, *arguments: str
) -> Iterator[list[WorkerProcess]]:
    """Run so many worker processes for the length of a block, each registered at its beginning."""
    known = registered(runtime)
    logs = [folder / f"worker-{number}.log" for number in range(count)]
    started = [WorkerProcess(runtime.settings, log, *arguments) for log in logs]
    try:
        wait_until(lambda: len(registered(runtime) - known) == QUEUES * count, START_SECONDS_MAX)
        yield started
    finally:
        for worker in started:
            worker.process.kill()
            worker.process.wait()


def registered(runtime: Runtime) -> set[int]:
    """Return the ids of the engine's workers: a process has one a queue."""
    return {row.id for row in query(runtime, "SELECT id FROM procrastinate_workers")}


def jobs_of(runtime: Runtime, status: str = "%") -> Sequence[Any]:
    """Return the engine's rows for Items."""
    sql = "SELECT * FROM procrastinate_jobs WHERE task_name = 'sync_item' AND status::text LIKE :s"
    return query(runtime, sql, s=status)


def runs(runtime: Runtime, item_id: str) -> list[str]:
    """Return how each run of the Item stands, oldest first."""
    sql = "SELECT status FROM sync_runs WHERE item_id = :item_id ORDER BY requested_at"
    return [row.status for row in query(runtime, sql, item_id=item_id)]


def store_item(runtime: Runtime, bank: Running, login: dict[str, Any] | None = None) -> str:
    """Store a new Item of the bank with a tag that is never due by itself; return its id."""
    login = login or person()
    options = {f"override_{name}": value for name, value in login.items()}
    told = runtime.plaid.public_token_exchange(sandbox_public_token(bank, **options))
    with runtime.database.session() as session:
        session.add(
            Item(
                item_id=told.item_id,
                user_id=User.get_or_create(session, "ada").id,
                access_token_sealed=runtime.keyring.seal(told.access_token, told.item_id),
                access_token_hash=runtime.keyring.hash(told.access_token),
                **runtime.plaid.world._asdict(),
            )
        )
        session.flush()
        ItemProduct.add(session, told.item_id, "transactions", ProductState.REQUESTED, None)
    return told.item_id


def ask_for_run(runtime: Runtime, item_id: str) -> None:
    """Ask for a run, as a person or a webhook does."""
    with runtime.database.session() as session:
        request_run.request(session, item_id, "test")


def leave_behind(runtime: Runtime, item_id: str, worker_id: int | None) -> None:
    """Leave the row of a job that began long ago and is over, though nobody noted that."""
    query(runtime, LEFT_BEHIND, item_id=item_id, worker_id=worker_id)


def tick_now(runtime: Runtime) -> None:
    """Let a running worker tick at once, instead of at the next quarter minute."""
    with runtime.database.session() as session:
        jobs.turn_later(session, jobs.TICKS_QUEUE)


def settle(runtime: Runtime) -> None:
    """Wait until no job of an Item waits or runs."""
    wait_until(lambda: not jobs_of(runtime))
