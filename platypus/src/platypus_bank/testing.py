"""For tests of other programs: a real `platypus serve` process, and a client for its controls."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from platypus_bank.trouble_client import ControlError, TroubleMaker

__all__ = ["Control", "ControlError", "Running", "running"]

_START_SECONDS = 20
_ANNOUNCEMENT = "Platypus is listening on "


class Control(TroubleMaker):
    """A thin client of /platypus: one method a path, dicts in and out, ControlError on 4xx."""

    def complete_link(self, link_token: str, **choices: Any) -> dict[str, Any]:
        """Go through Link: institution_id, username, password, accounts, finish."""
        return self.call("POST", "/link/complete", {"link_token": link_token, **choices})

    def exit_link(self, link_token: str, **how: Any) -> dict[str, Any]:
        """Leave Link: status, institution_id, error_code."""
        return self.call("POST", "/link/exit", {"link_token": link_token, **how})

    def changes(self, item_id: str, **changes: list[Any]) -> dict[str, Any]:
        """Make one update at the bank: added, modified, removed."""
        return self.call("POST", f"/items/{quote(item_id)}/changes", changes)

    def script(
        self, item_id: str, pages: list[dict[str, Any]], status: str | None = None
    ) -> dict[str, Any]:
        """Dictate the pages of the next sync loop."""
        body = {"pages": pages, "status": status}
        return self.call("POST", f"/items/{quote(item_id)}/script", body)

    def accounts(self, item_id: str, **changes: list[Any]) -> dict[str, Any]:
        """Change accounts: upsert, close."""
        return self.call("POST", f"/items/{quote(item_id)}/accounts", changes)

    def bulk(self, item_id: str, count: int, start_date: str | None = None) -> dict[str, Any]:
        """Add many generated transactions."""
        body = {"count": count, "start_date": start_date}
        return self.call("POST", f"/items/{quote(item_id)}/bulk", body)

    def readiness(self, item_id: str, status: str | None) -> dict[str, Any]:
        """Hold the transactions_update_status; None lets the clock decide."""
        return self.call("POST", f"/items/{quote(item_id)}/readiness", {"status": status})

    def forget_cursors(self, item_id: str) -> None:
        """Make all cursors of the Item foreign to it."""
        self.call("POST", f"/items/{quote(item_id)}/forget_cursors")

    def revoke(self, item_id: str, **what: Any) -> dict[str, Any]:
        """Revoke the person's permission: account_id, update_mode."""
        return self.call("POST", f"/items/{quote(item_id)}/revoke", what)

    def expire(self, item_id: str, **when: Any) -> dict[str, Any]:
        """Let consent end soon: seconds."""
        return self.call("POST", f"/items/{quote(item_id)}/expire", when)

    def disconnect(self, item_id: str, **when: Any) -> dict[str, Any]:
        """Let the connection end soon: seconds, reason."""
        return self.call("POST", f"/items/{quote(item_id)}/disconnect", when)

    def new_account(self, item_id: str, **account: Any) -> dict[str, Any]:
        """Open an account at the bank that is not shared yet; returns it."""
        body = {"account": account}
        found: dict[str, Any] = self.call("POST", f"/items/{quote(item_id)}/new_account", body)
        return dict(found["account"])

    def fire_webhook(self, item_id: str, webhook_code: str, **which: Any) -> None:
        """Send one of Plaid's webhooks, nothing else changes: webhook_type, new_transactions."""
        body = {"webhook_code": webhook_code, **which}
        self.call("POST", f"/items/{quote(item_id)}/fire_webhook", body)

    def refresh(self, item_id: str) -> dict[str, Any]:
        """Ask the bank again, as /transactions/refresh does."""
        return self.call("POST", f"/items/{quote(item_id)}/refresh")

    def ledger(self, item_id: str) -> dict[str, Any]:
        """Return what a correct client must hold: accounts, transactions."""
        return self.call("GET", f"/ledger/{quote(item_id)}")

    def crowd(self, count: int, **who: Any) -> list[dict[str, str]]:
        """Let many people link their banks at once; returns item_id and access_token of each."""
        found: list[dict[str, str]] = self.call("POST", "/items", {"count": count, **who})["items"]
        return found

    def ledger_hash(self) -> dict[str, Any]:
        """Return how many Items and transactions there are, and one hash of all ledgers."""
        return self.call("GET", "/ledger")

    def stop_clock(self) -> dict[str, Any]:
        """Let the world's time stand still, but for `advance`."""
        return self.call("POST", "/clock/stop")

    def start_clock(self) -> dict[str, Any]:
        """Let the world's time go on from where it stands."""
        return self.call("POST", "/clock/start")

    def items(self) -> list[dict[str, Any]]:
        """Return all Items."""
        found: list[dict[str, Any]] = self.call("GET", "/items")["items"]
        return found

    def calls(self, path: str | None = None, item_id: str | None = None) -> list[dict[str, Any]]:
        """Return the Plaid calls so far, newest last."""
        query = {"path": path, "item_id": item_id}
        narrowed = urlencode({name: value for name, value in query.items() if value})
        found: list[dict[str, Any]] = self.call("GET", f"/calls?{narrowed}")["calls"]
        return found

    def rates(self, path: str | None = None, window_seconds: float = 60) -> dict[str, Any]:
        """Return the most calls that any window of wall-clock time held: total, items."""
        query = {"path": path, "window_seconds": window_seconds}
        narrowed = urlencode({name: value for name, value in query.items() if value})
        return self.call("GET", f"/calls/rates?{narrowed}")

    def forget_calls(self) -> None:
        """Empty the log of calls."""
        self.call("DELETE", "/calls")

    def webhooks(self, item_id: str | None = None, count: int = 1000) -> list[dict[str, Any]]:
        """Return the last deliveries of webhooks, newest last."""
        query = {"item_id": item_id, "count": count}
        narrowed = urlencode({name: value for name, value in query.items() if value})
        found: list[dict[str, Any]] = self.call("GET", f"/webhooks?{narrowed}")["deliveries"]
        return found

    def webhook_states(self) -> dict[str, int]:
        """Return how many deliveries are waiting, held, delivered, given_up, dropped."""
        found: dict[str, int] = self.call("GET", "/webhooks?count=0")["states"]
        return found

    def send_webhook(self, body: dict[str, Any] | str, **where: Any) -> None:
        """Send a webhook of one's own, a str as it stands; `url` or `item_id`, `forge`, `count`."""
        content = {"text": body} if isinstance(body, str) else {"body": body}
        self.call("POST", "/webhooks/send", {**content, **where})

    def hold_webhooks(self) -> None:
        """Let webhooks pile up."""
        self.call("POST", "/webhooks/hold")

    def release_webhooks(self) -> dict[str, int]:
        """Send what has piled up; returns how many deliveries are in each state."""
        found: dict[str, int] = self.call("POST", "/webhooks/release")["states"]
        return found

    def rotate_key(self, *, expire_old: bool = False) -> str:
        """Sign webhooks with a new key from now on; returns its id."""
        return str(self.call("POST", "/webhooks/rotate_key", {"expire_old": expire_old})["key_id"])

    def webhook_keys(self) -> list[dict[str, Any]]:
        """Return the public halves of all signing keys, newest last."""
        found: list[dict[str, Any]] = self.call("GET", "/webhooks/keys")["keys"]
        return found

    def settings(self, **settings: Any) -> dict[str, Any]:
        """Change settings and return all of them."""
        return self.call("POST", "/settings", settings)

    def clock(self) -> dict[str, Any]:
        """Return the world's time: now, today, offset_seconds, stands."""
        return self.call("GET", "/clock")

    def advance(self, seconds: float) -> dict[str, Any]:
        """Move the world's clock on."""
        return self.call("POST", "/clock/advance", {"seconds": seconds})

    def reset(self, seed: int | None = None, stands_at: str | None = None) -> None:
        """Begin a new world, whose clock stands at an instant if one is given."""
        self.call("POST", "/reset", {"seed": seed, "stands_at": stands_at})

    def worlds(self) -> list[dict[str, Any]]:
        """Return all worlds of the server: client_id, seed, items."""
        found: list[dict[str, Any]] = self.call("GET", "/worlds")["worlds"]
        return found

    def end_world(self, client_id: str) -> None:
        """End a client's world, and delete what is kept of it."""
        self.call("DELETE", f"/worlds?{urlencode({'client_id': client_id})}")


class Running:
    """A Platypus process: `url`, `control`, and ways to end it and bring it back.

    `control` is that of one client's world, or of the only one.
    """

    def __init__(self, data_dir: Path, seed: int, client_id: str | None = None) -> None:
        self.data_dir = data_dir
        self._seed, self._client_id = seed, client_id
        self._start(0)

    def _start(self, port: int) -> None:
        command = [sys.executable, "-m", "platypus_bank.cli", "serve", "--port", str(port)]
        command += ["--data-dir", str(self.data_dir), "--seed", str(self._seed)]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, text=True, env=os.environ.copy()
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line.startswith(_ANNOUNCEMENT):
            self._process.kill()
            raise RuntimeError(f"platypus did not start: exit {self._process.wait()}")
        self.url = line.removeprefix(_ANNOUNCEMENT).strip()
        self.control = Control(self.url, self._client_id)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def kill(self) -> None:
        """End the process as a crash would, with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        return self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Start again on the same port and folder, killing the process if it still runs."""
        self.kill()
        self._start(urlsplit(self.url).port or 0)

    def _end(self, how: signal.Signals) -> int:
        if self._process.poll() is None:
            self._process.send_signal(how)
        code = self._process.wait(_START_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


@contextmanager
def running(
    data_dir: Path | str | None = None, seed: int = 1, client_id: str | None = None
) -> Iterator[Running]:
    """Run Platypus for the length of a block, on a free port; without a folder, in a new one.

    Its `control` speaks of the world of `client_id`, or of the only world.
    """
    with tempfile.TemporaryDirectory(prefix="platypus-") as made:
        bank = Running(Path(data_dir or made), seed, client_id)
        try:
            yield bank
        finally:
            bank.stop()
