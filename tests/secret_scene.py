"""Where secrets are sought: a service with a tap on its wire, all that it said, all that it handed out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from form_browser import Browser
from harness import Api, ServiceProcess, environment_for, settings_for, wait_until
from secret_watch import secrets_in

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from platypus_bank.testing import Running
    from tap import Tap

PLAID_SECRET = "plaid-secret-that-nobody-may-read"
SETTINGS_KEY = "service-key-that-nobody-may-read"

MAY_TELL = {
    ("POST", "/plaid/exchange"): {"access_token"},
    ("POST", "/plaid/link-token"): {"link_token", "hosted_link_url"},
    ("POST", "/plaid/items/{item_id}/link-token"): {"link_token", "hosted_link_url"},
    ("POST", "/keys"): {"key"},
}
"""The only fields of answers that are there to tell a secret."""

FIRST_KEY = "Your service key, shown only this once: "
SIGN_IN_LINK = "Sign in to the console, once and within 15 minutes: "

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


class Told(NamedTuple):
    """An answer but for what it may tell: its body and headers, and apart the cookies that it set."""

    path: str
    text: str
    cookies: str


class CrashingService(ServiceProcess):
    """A service whose calls to Plaid fail as nobody foresaw while the file CRASH is there."""

    program = CRASHING

    def told(self, announcement: str) -> str:
        """Return what the one line that begins so says."""
        pattern = re.compile(f"^{re.escape(announcement)}(.+)$", re.MULTILINE)
        wait_until(lambda: pattern.search(self.log))
        (said,) = pattern.findall(self.log)
        return str(said)

    @property
    def log_but_for_the_links(self) -> str:
        """All that it printed, without the two lines that are there to tell a secret."""
        lines = self.log.splitlines(keepends=True)
        return "".join(each for each in lines if not each.startswith((FIRST_KEY, SIGN_IN_LINK)))


@dataclass
class Scene:
    """A data folder, a tap on the wire, and all that was said in the meantime."""

    bank: Running
    tap: Tap
    folder: Path
    services: list[CrashingService] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    answers: list[Told] = field(default_factory=list)
    handed_over: set[str] = field(default_factory=set)
    reader_passwords: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    """What a browser's cookie holds, and nothing else may."""

    def environment(self, port: int, log_format: str, key: str = SETTINGS_KEY) -> dict[str, str]:
        """Return the settings of the service: the embedded database, the chattiest level."""
        settings = settings_for(
            self.tap.url,
            "",
            self.folder / "data",
            log_level="debug",
            public_url=f"http://127.0.0.1:{port}",
            worker_silent_seconds=3,
        )
        temp = self.folder / "temp"
        temp.mkdir(exist_ok=True)
        temp.chmod(0o1777)
        return environment_for(settings) | {
            "BANKLOOM_API_KEY": key,
            "PLAID_SECRET": PLAID_SECRET,
            "BANKLOOM_DATABASE_URL": "",
            "BANKLOOM_LOG_FORMAT": log_format,
            "CRASH": str(self.folder / "crash"),
            "TMPDIR": str(temp),
        }

    def serve(self, port: int, log_format: str, key: str = SETTINGS_KEY) -> CrashingService:
        """Start the service; without a key in the settings it makes one."""
        environment = self.environment(port, log_format, key)
        process = CrashingService(environment, "--port", str(port))
        self.services.append(process)
        key = key or process.told(FIRST_KEY)
        self.handed_over.add(key)
        process.api.client.close()
        process.api = self.caller(process.api.url, key)
        return process

    def close(self) -> None:
        """Stop what still runs, as where the test failed."""
        for each in self.services:
            each.stop()

    def caller(self, url: str, key: str) -> Api:
        """Return a caller whose answers are kept."""
        api = Api(url, key)
        api.client.event_hooks["response"] = [self._note]
        return api

    def browser(self, url: str) -> Browser:
        """Return a browser whose pages are kept."""
        browser = Browser(url)
        browser.event_hooks["response"] = [self._note]
        return browser

    def note_log(self, process: CrashingService) -> None:
        """Keep what a service printed that has ended."""
        self.handed_over |= secrets_in([process.told(SIGN_IN_LINK)])
        self.logs.append(process.log_but_for_the_links)

    def note_keyring(self) -> None:
        """Keep the keys of the keyring as it now is."""
        keyring = (self.folder / "data" / "keyring").read_text()
        self.handed_over |= {word.rpartition(":")[2] for word in keyring.split()}

    def _note(self, answer: httpx.Response) -> None:
        answer.read()
        path = re.sub("^(/plaid/items)/[^/]+/", r"\1/{item_id}/", answer.request.url.path)
        told, rest = _told(answer, MAY_TELL.get((answer.request.method, path), set()))
        self.handed_over |= told
        headers = [f"{name}: {it}" for name, it in answer.headers.items() if name != "set-cookie"]
        cookies = " ".join(answer.headers.get_list("set-cookie"))
        self.answers.append(Told(path, "\n".join((rest, *headers)), cookies))

    @property
    def secrets(self) -> set[str]:
        """All that must stand nowhere: what Plaid and the service handed out, and the settings'."""
        webhooks = json.dumps(self.bank.control.webhooks())
        told = secrets_in([*self.tap.answered, webhooks])
        return told | self.handed_over | {PLAID_SECRET, SETTINGS_KEY}

    @property
    def passwords(self) -> set[str]:
        """The database's, which stand in files of their own."""
        text = (self.folder / "data" / "postgres" / "passwords.json").read_text()
        words = {word for word in json.loads(text).values() if isinstance(word, str)}
        return words | self.reader_passwords


def _told(answer: httpx.Response, may_tell: set[str]) -> tuple[set[str], str]:
    """Return what the fields tell that may, and the rest of the answer, which may not."""
    if not may_tell or not answer.is_success:
        return set(), answer.text
    fields = answer.json()
    told = {fields.pop(name) for name in may_tell & fields.keys()}
    return told - {None}, json.dumps(fields)
