"""Secrets: whatever happens, no token, key or password is left where it does not belong."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from all_commands import run_all
from harness import API_KEY, Api, ServiceProcess, environment_for, settings_for, wait_until
from link_scenes import hosted_link, through
from scenes import EXCHANGE_PATH, SYNC_PATH, ask_plaid, exchange, holding, newcomer, person, stored
from secret_watch import (
    Arguments,
    below,
    files_with,
    found_in,
    secrets_in,
    told_to,
    working_in,
)
from tap import tapped

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from platypus_bank.testing import Running
    from tap import Tap

SETTINGS_SECRETS = {API_KEY, "test-secret"}

TOLD_ON_PURPOSE = {
    "/plaid/exchange": "access-",
    "/plaid/link-token": "link-",
    "/plaid/items/{item_id}/link-token": "link-",
    "/keys": "bl_",
}
"""By path: the one kind of secret that an answer is there to tell."""

CRASHING = """
import os, pathlib
from bankloom.services.plaid_client import PlaidClient

def crashing(method):
    def call(self, token, *more, **named):
        if pathlib.Path(os.environ["CRASH"]).exists():
            raise RuntimeError(f"crashed with {token} in hand") from KeyError(token)
        return method(self, token, *more, **named)
    return call

for name in ("transactions_sync", "public_token_exchange"):
    setattr(PlaidClient, name, crashing(getattr(PlaidClient, name)))
from bankloom.cli import main
main()
"""


class CrashingService(ServiceProcess):
    """A service whose calls to Plaid fail as nobody foresaw while the file CRASH is there."""

    program = CRASHING


@dataclass
class Scene:
    """A data folder, a tap on the wire, and all that was said in the meantime."""

    bank: Running
    tap: Tap
    folder: Path
    logs: list[str] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)
    handed_over: set[str] = field(default_factory=set)

    def environment(self, port: int, log_format: str) -> dict[str, str]:
        """Return the settings of the service: the embedded database, the chattiest level."""
        public_url = f"http://127.0.0.1:{port}"
        settings = settings_for(
            self.tap.url,
            "",
            self.folder / "data",
            log_level="debug",
            public_url=public_url,
            worker_silent_seconds=3,
        )
        temp = self.folder / "temp"
        temp.mkdir(exist_ok=True, mode=0o1777)
        return environment_for(settings) | {
            "BANKLOOM_DATABASE_URL": "",
            "BANKLOOM_LOG_FORMAT": log_format,
            "CRASH": str(self.folder / "crash"),
            "TMPDIR": str(temp),
        }

    def serve(self, port: int, log_format: str) -> CrashingService:
        """Start the service."""
        environment = self.environment(port, log_format)
        process = CrashingService(environment, "--port", str(port))
        process.api.client.event_hooks["response"] = [self._note]
        return process

    def _note(self, answer: httpx.Response) -> None:
        answer.read()
        self.answers.append((answer.request.url.path, answer.text))

    @property
    def secrets(self) -> set[str]:
        """All that must stand nowhere: what Plaid and the service handed out, settings, keyring."""
        keyring = (self.folder / "data" / "keyring").read_text()
        webhooks = [json.dumps(self.bank.control.webhooks())]
        told = [*self.tap.answered, *webhooks, *(text for _, text in self.answers)]
        of_keyring = {word for word in keyring.split() if len(word) > 20}
        return secrets_in(told) | self.handed_over | SETTINGS_SECRETS | of_keyring

    @property
    def passwords(self) -> set[str]:
        """The database's, which stand in a file of its own."""
        text = (self.folder / "data" / "postgres" / "passwords.json").read_text()
        return {word for word in json.loads(text).values() if isinstance(word, str)}


def test_no_secret_is_left_anywhere(bank: Running, reachable_dir: Path) -> None:
    """Sought in logs, answers, the database's and temporary files, arguments, environments and URLs.

    After links, refusals, a crash, a kill in mid-sync, and every command of the command line.
    """
    port = free_port()
    with tapped(bank.url) as tap, Arguments() as arguments:
        scene = Scene(bank, tap, reachable_dir)
        process = scene.serve(port, "text")
        item_id, known = go_through_everything(scene, process.api)
        crash(scene, process.api, known)
        assert_children_know_nothing(scene, process)
        with holding(bank, SYNC_PATH) as hold:
            scene.handed_over.add(token := newcomer(process.api, bank, "ivy", **person())[1])
            exchange(process.api, token)
            hold.reached()
            process.kill()
        scene.logs.append(process.log)
        process = scene.serve(port, "json")
        another = link(scene, process.api, "hugo")
        fail_in_every_way(scene, process.api, another)
        crash(scene, process.api, another)
        said = run_all(scene.environment(port, "text"), item_id, another)
        process.stop()
        scene.logs.append(process.log)
        assert_nothing_is_left(scene, arguments.seen, said)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def link(scene: Scene, api: Api, user: str) -> str:
    """Link for one more person; return the access token."""
    new = newcomer(api, scene.bank, user, **person())
    token: str = exchange(api, new.public_token).json()["access_token"]
    scene.handed_over |= {new.link_token, new.public_token, token}
    wait_until(lambda: api.sync(new.item_id)["status"] in {"synced", "up_to_date"})
    return token


def go_through_everything(scene: Scene, api: Api) -> tuple[str, str]:
    """Link, sync and fail in as many ways as there are; return an Item and its access token."""
    bank = scene.bank
    new = newcomer(api, bank, "ada", **person())
    bank.control.fault(EXCHANGE_PATH, drop=True)
    exchange(api, new.public_token)
    token: str = exchange(api, new.public_token).json()["access_token"]
    scene.handed_over |= {new.link_token, new.public_token, token}
    exchange(api, new.public_token, user_id="grace")
    scene.handed_over.add(doubled := newcomer(api, bank, "ada", **person()).public_token)
    exchange(api, doubled)
    bank.control.changes(new.item_id, added=[{"transaction_id": "t"}])
    wait_until(lambda: api.sync(new.item_id)["status"] in {"synced", "up_to_date"})
    wait_until(lambda: stored(api, user_id="ada").keys() == {"t"})
    scene.handed_over.add(through(bank, hosted_link(api, "grace")))
    wait_until(lambda: len(api.get("/plaid/items", user_id="grace").json()) == 1)
    key = api.post("/keys", user_id="ada", scopes=["read", "link"]).json()["key"]
    scene.handed_over.add(key)
    fail_in_every_way(scene, api, token)
    api.post("/plaid/exchange", public_token=new.public_token, product="x", surprise=token)
    api.post("/plaid/sync", item_id=token)
    api.post("/plaid/sync", access_token=new.public_token)
    for page in ("/console", "/console/signin", "/metrics", "/openapi.json"):
        api.get(page)
    return new.item_id, token


def fail_in_every_way(scene: Scene, api: Api, token: str) -> None:
    """Let syncs meet a lost connection, garbage that repeats the token, refusals, a broken login."""
    echo = json.dumps({"error": f"what is {token}?", "header": "test-secret"})
    refusal = {
        "error_type": "API_ERROR",
        "error_code": "INTERNAL_SERVER_ERROR",
        "error_message": f"could not use {token}",
        "status": 500,
    }
    for fault in ({"drop": True}, {"body": echo}, {"error": refusal}):
        wait_until(partial(_fails, scene, api, token, fault))
    scene.bank.control.clear_faults()
    ask_plaid(scene.bank, "/sandbox/item/reset_login", access_token=token)
    assert api.post("/plaid/sync", access_token=token).status_code == 409


def _fails(scene: Scene, api: Api, token: str, fault: dict[str, Any]) -> bool:
    """Plant the fault and sync; a run that a webhook asked for may meet it first."""
    scene.bank.control.fault(SYNC_PATH, **fault)
    return api.post("/plaid/sync", access_token=token).status_code == 502


def crash(scene: Scene, api: Api, token: str) -> None:
    """Let a job and a request end as nobody foresaw, with a token in hand."""
    new = newcomer(api, scene.bank, "ada", **person({"type": "depository", "subtype": "savings"}))
    scene.handed_over |= {new.link_token, new.public_token}
    (scene.folder / "crash").touch()
    api.post("/plaid/sync", access_token=token)
    own = Api(api.url)  # after an error that nobody foresaw, the server hangs up
    with own.client:
        own.client.event_hooks = api.client.event_hooks
        assert exchange(own, new.public_token).status_code == 500
    (scene.folder / "crash").unlink()


def assert_children_know_nothing(scene: Scene, process: ServiceProcess) -> None:
    """The database's processes are told no token, no key and no password, by argument or environment."""
    cluster = scene.folder.resolve() / "data" / "postgres"
    children = {*below(process.process.pid), *working_in(cluster)}
    assert children
    for pid in children:
        assert not found_in(told_to(pid), scene.secrets | scene.passwords)


def assert_nothing_is_left(scene: Scene, arguments: set[bytes], said: dict[str, str]) -> None:
    """Seek every secret in all that was written, sent, answered or started."""
    secrets, everything = scene.secrets, scene.secrets | scene.passwords
    assert len(secrets) > 12
    assert min(len(log.splitlines()) for log in scene.logs) > 5
    assert all("crashed with" in log for log in scene.logs)
    for log in scene.logs:
        assert not found_in(log.encode(), everything)
    for command, text in said.items():
        assert not found_in(text.encode(), everything), command
    for path, text in scene.answers:
        told = TOLD_ON_PURPOSE.get(path.replace(path.split("/")[-2], "{item_id}"))
        told = TOLD_ON_PURPOSE.get(path) or told
        found = found_in(text.encode(), everything)
        assert not {each for each in found if not (told and each.startswith(told))}, path
    for command_line in arguments:
        assert not found_in(command_line, everything), command_line
    assert not found_in(" ".join(scene.tap.asked).encode(), everything)
    assert scene.tap.asked
    assert not files_with(scene.folder / "temp", everything)
    assert not files_with(scene.folder / "data" / "postgres", secrets)
