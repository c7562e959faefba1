"""What the tests share: the service in a thread or a process, a caller of it, a person who links."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from bankloom.app import create_app
from bankloom.cli.http_server import server_config
from bankloom.core.settings import PlaidSettings, Settings
from bankloom.opening import open_runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

API_KEY = "test-key-0123456789"
WAIT_SECONDS = 60  # nothing takes as long but on a busy machine, where 20 were too few


def wait_until(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """Return the condition's first true value; fail when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.02)
    return value


@dataclass
class Api:
    """A caller of the service over HTTP."""

    url: str
    key: str = API_KEY
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def get(self, path: str, **params: Any) -> httpx.Response:
        """GET with these query parameters."""
        return self.client.get(path, params=params)

    def post(self, path: str, **body: Any) -> httpx.Response:
        """POST these fields as JSON."""
        return self.client.post(path, json=body)

    def link_token(self, user: str = "ada", products: list[str] | None = None) -> str:
        """Open Link for a person."""
        answer = self.post("/plaid/link-token", user_id=user, products=products or ["transactions"])
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["link_token"]
        return token

    def link(
        self, bank: Running, user: str = "ada", products: list[str] | None = None, **choices: Any
    ) -> str:
        """Do what a person and their app do; return the Item."""
        products = products or ["transactions"]
        public_token = go_through_link(bank, self.link_token(user, products), **choices)
        for product in products:
            answer = self.post("/plaid/exchange", public_token=public_token, product=product)
            assert answer.status_code == 200, answer.text
        item_id: str = answer.json()["item_id"]
        return item_id

    def sync(self, item_id: str, **options: Any) -> dict[str, Any]:
        """Sync the Item and return the answer, whatever its status."""
        body: dict[str, Any] = self.post("/plaid/sync", item_id=item_id, **options).json()
        return body

    def accounts(self, **params: Any) -> list[dict[str, Any]]:
        """List accounts."""
        answer = self.get("/plaid/accounts", **params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def transactions(self, limit: int = 500, **params: Any) -> list[dict[str, Any]]:
        """Walk every page."""
        rows: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = self.get("/plaid/transactions", limit=limit, **params, **cursor)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            rows += body["transactions"]
            if body["next_cursor"] is None:
                return rows
            cursor = {"cursor": body["next_cursor"]}

    def sync_until_complete(self, item_id: str) -> None:
        """Wait until the whole first history is there."""
        wait_until(lambda: self.sync(item_id)["status"] == "up_to_date")


def go_through_link(bank: Running, link_token: str, **choices: Any) -> str:
    """Be the person in Link; return the public token."""
    person = {
        "institution_id": "ins_109508",
        "username": "user_good",
        "password": "pass_good",
        **choices,
    }
    token: str = bank.control.complete_link(link_token, **person)["public_token"]
    return token


def settings_for(bank_url: str, database_url: str, data_dir: Path, **more: Any) -> Settings:
    """Return settings that name this bank and this database; no rate limit slows the tests down."""
    plaid = PlaidSettings(
        client_id="test-client", secret="test-secret", base_url=bank_url, _env_file=None
    )
    values = {
        "api_key": API_KEY,
        "database_url": database_url,
        "data_dir": data_dir,
        "rate_limits": "off",
        "requests_per_minute": 0,
        "bad_keys_per_minute": 0,
        **more,
    }
    return Settings(plaid=plaid, _env_file=None, **values)


@contextmanager
def serving(
    settings: Settings, *, with_worker: bool = True, gets_webhooks: bool = False
) -> Iterator[tuple[Api, Runtime]]:
    """Serve from a thread of this process, over real HTTP; Plaid is told where if it is to send webhooks."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if gets_webhooks:
        settings = settings.model_copy(update={"public_url": url})
    runtime = open_runtime(settings)
    app = create_app(runtime, with_worker=with_worker)
    server = uvicorn.Server(server_config(app, settings))
    thread = threading.Thread(target=server.run, args=([listener],), name="service")
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        api = Api(url)
        with api.client:
            yield api, runtime
    finally:
        server.should_exit = True
        thread.join()


class ServiceProcess:
    """`bankloom serve` as a process of its own, to be killed."""

    program = "from bankloom.cli import main; main()"

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self._environment = {**os.environ, **environment}
        self._arguments = arguments
        self.log = ""
        self.start()

    def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        command = [sys.executable, "-c", self.program, "serve"]
        self.process = subprocess.Popen(
            [*command, "--port", "0", *self._arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        announced = "Bankloom is listening on "
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line
            if line.startswith(announced):
                self.api = Api(line.removeprefix(announced).strip())
                break
        else:
            raise AssertionError(f"the service did not start:\n{self.log}")
        self._drain = threading.Thread(target=self._read_on, daemon=True)
        self._drain.start()
        wait_until(self._is_healthy)

    def _read_on(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line

    def _is_healthy(self) -> bool:
        try:
            return self.api.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to leave and return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(30)
        self._drain.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.api.client.close()
        return code


def environment_for(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give a process these settings."""
    environment = {
        "PLAID_CLIENT_ID": settings.plaid.client_id,
        "PLAID_SECRET": settings.plaid.secret.get_secret_value(),
        "PLAID_BASE_URL": settings.plaid.base_url,
        "BANKLOOM_DATA_DIR": str(settings.data_dir),
        "BANKLOOM_API_KEY": API_KEY,
        "BANKLOOM_LEASE_SECONDS": str(settings.lease_seconds),
        "BANKLOOM_WORKER_SILENT_SECONDS": str(settings.worker_silent_seconds),
        "BANKLOOM_WORKER_CONCURRENCY": str(settings.worker_concurrency),
        "BANKLOOM_SYNC_INTERVAL_SECONDS": str(settings.sync_interval_seconds),
        "BANKLOOM_CHECK_INTERVAL_SECONDS": str(settings.check_interval_seconds),
        "BANKLOOM_REQUESTS_PER_MINUTE": str(settings.requests_per_minute),
        "BANKLOOM_BAD_KEYS_PER_MINUTE": str(settings.bad_keys_per_minute),
        "BANKLOOM_LOG_LEVEL": settings.log_level,
    }
    if settings.rate_limits:
        environment["BANKLOOM_RATE_LIMITS"] = settings.rate_limits
    if settings.public_url:
        environment["BANKLOOM_PUBLIC_URL"] = settings.public_url
    if settings.database_url:
        environment["BANKLOOM_DATABASE_URL"] = settings.database_url.get_secret_value()
    return environment
