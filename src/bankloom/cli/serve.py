"""`bankloom serve` and `bankloom worker`: the web side, and the job engine alone."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from typing import Annotated

import typer

from bankloom.cli.signals import end_process
from bankloom.cli.signin import sign_in_link
from bankloom.core import logs
from bankloom.core.settings import Settings
from bankloom.opening import open_runtime
from bankloom.services import console_access
from bankloom.services.follow_secret import SecretFollower
from bankloom.services.keep_counts import CountsKeeper
from bankloom.services.keyrings.processes import Announced
from bankloom.worker import WorkerThread

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the others waiting, instead of Python's 0.005: the worker's threads decode
and copy beside those that answer webhooks, each of which needs its turn a dozen times."""

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[
    int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes any free one.")
]
NoWorker = Annotated[
    bool, typer.Option("--no-worker", help="Serve only; run `bankloom worker` elsewhere.")
]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Items synced at the same time; BANKLOOM_WORKER_CONCURRENCY."),
]


def serve(host: Host = "127.0.0.1", port: Port = 8000, *, no_worker: NoWorker = False) -> None:
    """Serve the API, with the job engine beside it."""
    # Until the server listens to signals itself: SIGTERM must not leave the database running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings.read()
    logs.configure(settings.log_level, settings.log_format, settings.secret_texts)
    listener = _listen(host, port)
    # Only here: to load the web framework takes every other command as long as all the rest.
    from bankloom.app import create_app, start  # noqa: PLC0415 - as said
    from bankloom.cli.http_server import Server, server_config  # noqa: PLC0415 - as said

    runtime, new_key = start(settings)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    typer.echo(f"Bankloom is listening on {url}")
    if new_key:
        typer.echo(f"Your service key, shown only this once: {new_key}")
    here = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    link = sign_in_link(settings.public_url or here, console_access.new_code(runtime))
    typer.echo(f"Sign in to the console, once and within 15 minutes: {link}")
    sys.setswitchinterval(SWITCH_SECONDS)
    app = create_app(runtime, with_worker=not no_worker, listens_on=host)
    try:
        Server(server_config(app, settings)).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # uvicorn has left in order, and raises the signal again that it left for
    finally:
        _leave(app.state.worker)


def worker(concurrency: Concurrency = None) -> None:
    """Run the job engine alone; start as many as you like, on as many machines."""
    settings = Settings.read()
    if concurrency is not None:
        settings = settings.model_copy(update={"worker_concurrency": concurrency})
    logs.configure(settings.log_level, settings.log_format, settings.secret_texts)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as in `serve`
    runtime = open_runtime(settings)
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    try:
        with (
            Announced(runtime, "worker"),
            CountsKeeper(runtime),
            SecretFollower(runtime),
            WorkerThread(runtime) as thread,
        ):
            asked_to_stop.wait()
    finally:
        runtime.close()
    _leave(thread)


def _leave(thread: WorkerThread | None) -> None:
    """End the process where a job is stuck: Python itself would wait for the job's thread."""
    if thread is not None and thread.is_stuck:
        end_process()


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is started, so that a taken one costs nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise typer.BadParameter(f"can't listen on {host}:{port} ({error.strerror})") from error
