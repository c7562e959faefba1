"""Runs the job engine under supervision: in a thread beside the web side, or as a process alone."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import procrastinate
from procrastinate.worker import Worker

from bankloom.services import jobs, tasks

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # after a lock is freed, the next job of that Item starts at the next poll
HEARTBEAT_SECONDS = 2.0
LEAVE_SECONDS = (
    5.0  # bodies stop between two pages; with the web side's grace, SIGTERM takes under 10 s
)
FIRST_PAUSE_SECONDS = 1.0
_KNOWN = "SELECT id FROM procrastinate_workers WHERE id = ANY(%(ids)s)"
LONGEST_PAUSE_SECONDS = 30.0


class WorkerThread:
    """The engine in a thread of its own; a context manager.

    A job that waits for Plaid's answer can't be interrupted, so leaving waits for it only so
    long: what it did not commit is another worker's, and its own commits would find the fence.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._supervisor = Supervisor(runtime)
        self._thread = threading.Thread(target=self._supervisor.run, name="worker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._supervisor.stop()
        self._thread.join(LEAVE_SECONDS)
        if self.is_stuck:
            log.warning("A job still waits for an answer; it is left, and will be taken over")

    @property
    def is_stuck(self) -> bool:
        """Whether a job outlived the worker's leave."""
        return self._thread.is_alive()


class Supervisor:
    """Keeps the engine's workers running: where one stops by itself, they are registered anew.

    The engine ends a worker whose row was pruned (a suspended laptop) or whose side task failed
    (a restarted database).
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime.acting_for("worker")
        self._stopping = threading.Event()
        self._workers: tuple[Worker, ...] = ()
        self._executor = ThreadPoolExecutor(
            runtime.settings.worker_concurrency + 4, thread_name_prefix="job"
        )

    def run(self) -> None:
        """Run until `stop` is called; blocks."""
        asyncio.run(self._supervise())

    def stop(self) -> None:
        """Ask the workers to leave; safe from any thread and from a signal handler."""
        self._stopping.set()
        self._stop_workers()

    def _stop_workers(self) -> None:
        for worker in self._workers:
            worker.stop()  # type: ignore[no-untyped-call]  # the engine left it so

    async def _supervise(self) -> None:
        # asyncio's own executor is sized by the machine's cores, not by our concurrency.
        asyncio.get_running_loop().set_default_executor(self._executor)
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            try:
                await self._work()
            except Exception:
                log.exception("The worker stopped; it is registered anew in %.0f s", pause)
            if asyncio.get_running_loop().time() - started > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await asyncio.to_thread(self._stopping.wait, pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _work(self) -> None:
        """Run the engine's workers, one a queue, until any of them stops."""
        database = self._runtime.database
        if database.embedded is not None:
            await asyncio.to_thread(database.embedded.ensure_running)
        connector = procrastinate.PsycopgConnector(
            conninfo=database.conninfo, min_size=1, max_size=4
        )
        app = tasks.engine(connector)
        concurrency = self._runtime.settings.worker_concurrency
        async with app.open_async():
            self._workers = (
                self._worker(app, jobs.ITEMS_QUEUE, concurrency),
                self._worker(app, jobs.TICKS_QUEUE, 1),
                self._worker(app, jobs.EXCHANGES_QUEUE, 1),
            )
            watch = asyncio.create_task(self._watch(connector))
            try:
                await asyncio.gather(*(self._run(worker) for worker in self._workers))
            finally:
                watch.cancel()
                self._workers = ()

    async def _watch(self, connector: procrastinate.PsycopgConnector) -> None:
        """Leave, to be registered anew, once others have taken us for dead: we were frozen.

        The engine itself finds out only when it next fetches a job, which may be another's for long.
        """
        while not self._stopping.is_set():
            await asyncio.sleep(HEARTBEAT_SECONDS)
            ids = [worker.worker_id for worker in self._workers if worker.worker_id is not None]
            try:
                known = await connector.execute_query_all_async(_KNOWN, ids=ids)
            except procrastinate.exceptions.ConnectorException:
                continue  # the database is away: the workers meet that themselves, and say so
            if len(known) < len(ids):
                log.warning("This worker was taken for dead; it is registered anew")
                self._stop_workers()
                return

    async def _run(self, worker: Worker) -> None:
        """Run one worker; the others leave with it, and all are registered anew."""
        try:
            if not self._stopping.is_set():
                await worker.run()  # type: ignore[no-untyped-call]  # the engine left it so
        finally:
            self._stop_workers()

    def _worker(self, app: procrastinate.App, queue: str, concurrency: int) -> Worker:
        """Return a worker whose bodies leave between two steps when it does, for whatever reason.

        The engine waits for them without a bound; meanwhile nothing of this process would begin.
        """

        def should_stop() -> bool:
            return self._stopping.is_set() or worker._stop_event.is_set()  # noqa: SLF001 - it tells nobody else

        worker = Worker(
            app,
            queues=[queue],
            name=f"bankloom-{queue}",
            concurrency=concurrency,
            fetch_job_polling_interval=POLL_SECONDS,
            listen_notify=queue == jobs.ITEMS_QUEUE,  # the others may wait for a poll
            shutdown_graceful_timeout=LEAVE_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=self._runtime.settings.worker_silent_seconds,
            delete_jobs="always",
            install_signal_handlers=False,
            additional_context={"runtime": self._runtime, "should_stop": should_stop},
        )
        return worker
