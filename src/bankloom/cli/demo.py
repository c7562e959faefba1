"""`bankloom demo`: the main job in one command, on the built-in Plaid emulator."""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import urllib3
from rich.console import Console

from bankloom.cli.api_client import JsonClient
from bankloom.cli.processes import Program, StartError, beside_python
from bankloom.cli.tables import accounts_table, transactions_table
from bankloom.core import private_files

BANK_PORT = 8466  # "TIME" on a phone's keys; any port does, as long as it stays the same
SERVICE_PORT = 8000
PRODUCTS = ("transactions", "liabilities")
COMPLETE = "HISTORICAL_UPDATE_COMPLETE"
SYNC_SECONDS_MAX = 120
POLL_SECONDS = 0.2
NEWEST_SHOWN = 8
CUSTOM_USER_SHOWN = 500

console = Console()


@dataclass(frozen=True)
class Person:
    """Somebody who links: who they are to us, and what they type into Link."""

    user_id: str
    institution_id: str
    username: str
    password: str
    shown: int = NEWEST_SHOWN


BUILT_IN = (
    Person("ada", "ins_109508", "user_good", "pass_good"),
    Person("grace", "ins_109511", "user_transactions_dynamic", "pass_good"),
)

Once = Annotated[bool, typer.Option("--once", help="Show everything and stop.")]
UserFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--user",
        exists=True,
        dir_okay=False,
        help="Link a Plaid custom sandbox user from its JSON file; repeatable.",
    ),
]
DataDir = Annotated[Path, typer.Option(help="Where the demo keeps its bank and its database.")]
Port = Annotated[
    int,
    typer.Option(min=0, max=65_535, help="The service's port; the next free one if it is taken."),
]


def demo(
    user: UserFiles = None,
    *,
    once: Once = False,
    data_dir: DataDir = Path(".data/demo"),
    port: Port = SERVICE_PORT,
) -> None:
    """Link two people at the built-in bank, sync them, show what came, and stay up."""
    people = [_custom(file) for file in user] if user else list(BUILT_IN)
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o711)  # the database may run as another user, who passes through here
    key = private_files.read_or_create(data_dir / "api-key", f"demo-{secrets.token_urlsafe(24)}")
    # SIGINT too: a shell's background job starts with it ignored, and would never stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with ExitStack() as stack:
        bank = _start_bank(stack, data_dir)
        service, program = _start_service(stack, data_dir, bank, key, port)
        for person in people:
            _link(bank, service, person)
        for person in people:
            _show(service, person)
        if not once:
            _say_what_next(service, bank.url, people[0], key, data_dir)
            _stay(program)


def _custom(file: Path) -> Person:
    """Return the person of a custom user file; another content is another person."""
    try:
        text = file.read_text(encoding="utf-8")
        json.loads(text)
    except (OSError, ValueError) as error:
        raise StartError(f"{file} is not the JSON of a custom user: {error}") from error
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    return Person(f"{file.stem}-{mark}", "ins_109508", "user_custom", text, CUSTOM_USER_SHOWN)


def _start_bank(stack: ExitStack, data_dir: Path) -> JsonClient:
    """Start Platypus, or take the one that an interrupted demo left running on its port.

    The port is written down because Items belong to the URL that they were linked at.
    """
    free = str(BANK_PORT if _is_free(BANK_PORT) else _any_free_port())
    port = int(private_files.read_or_create(data_dir / "bank-port", free))
    url = f"http://127.0.0.1:{port}"
    if not _is_free(port):
        if not _answers(f"{url}/platypus/health"):
            raise StartError(
                f"Port {port} is taken by another program, and this demo's bank lives there. "
                f"Stop that program, or begin anew with --data-dir ANOTHER_FOLDER."
            )
        return JsonClient(url)
    command = [
        beside_python("platypus"),
        "serve",
        "--port",
        str(port),
        "--data-dir",
        str(data_dir / "bank"),
    ]
    announcement = "Platypus is listening on "
    program = stack.enter_context(Program(command, {}, announcement, data_dir / "platypus.log"))
    console.print(f"Platypus, a bank to play with: [bold]{program.url}[/]")
    return JsonClient(program.url)


def _start_service(
    stack: ExitStack, data_dir: Path, bank: JsonClient, key: str, port: int
) -> tuple[JsonClient, Program]:
    port = port if port and _is_free(port) else _any_free_port()
    with console.status("Starting the database and the service ..."):
        environment = _settings(data_dir, bank.url, f"http://127.0.0.1:{port}", key)
        command = [beside_python("bankloom"), "serve", "--port", str(port)]
        announcement = "Bankloom is listening on "
        program = stack.enter_context(
            Program(command, environment, announcement, data_dir / "bankloom.log")
        )
    console.print(f"Bankloom: [bold]{program.url}[/]")
    return JsonClient(program.url, key), program


def _settings(data_dir: Path, bank_url: str, service_url: str, key: str) -> dict[str, str]:
    """Return the service's settings, which a person's own commands find as `.env` in the folder."""
    settings = {
        "BANKLOOM_PUBLIC_URL": service_url,  # so that the bank sends webhooks
        "PLAID_BASE_URL": bank_url,
        "PLAID_CLIENT_ID": "demo",
        "PLAID_SECRET": "demo",
        "PLAID_ENV": "sandbox",
        "BANKLOOM_DATA_DIR": str(data_dir / "bankloom"),
        "BANKLOOM_API_KEY": key,
    }
    lines = (
        f"{name}={json.dumps(value, ensure_ascii=False)}\n" for name, value in settings.items()
    )
    private_files.write(data_dir / ".env", "".join(lines))
    return settings


def _show(service: JsonClient, person: Person) -> None:
    _wait_for_history(service, person)
    accounts = service.get("/plaid/accounts", user_id=person.user_id)
    newest = service.transactions(person.user_id, person.shown)
    institution = accounts[0]["institution"] if accounts else "no account"
    console.print()
    console.print(accounts_table(f"{person.user_id} at {institution}", accounts))
    console.print(transactions_table("Newest transactions", newest, accounts))


def _link(bank: JsonClient, service: JsonClient, person: Person) -> None:
    """Walk the real flow: link token, Link, public token, one exchange per product.

    Whoever was linked by an earlier demo is only synced.
    """
    items = service.get("/plaid/items", user_id=person.user_id)
    if items:
        service.post("/plaid/sync", {"item_id": items[0]["item_id"]})
        console.print(f"[bold]{person.user_id}[/] was linked before; synced.")
        return
    asked = {"user_id": person.user_id, "products": list(PRODUCTS)}
    link_token = service.post("/plaid/link-token", asked)["link_token"]
    choices = {
        "institution_id": person.institution_id,
        "username": person.username,
        "password": person.password,
    }
    linked = bank.post("/platypus/link/complete", {"link_token": link_token, **choices})
    for product in PRODUCTS:
        service.post(
            "/plaid/exchange", {"public_token": linked["public_token"], "product": product}
        )
    console.print(f"[bold]{person.user_id}[/] has linked {linked['institution']['name']}.")


def _wait_for_history(service: JsonClient, person: Person) -> None:
    """Wait until the first history is complete, telling how many transactions have come."""
    deadline = time.monotonic() + SYNC_SECONDS_MAX
    with console.status("Asking for the history ...") as status:
        while (tag := _transactions_tag(service, person))["update_status"] != COMPLETE:
            if tag["error"] or time.monotonic() > deadline:
                raise StartError(f"The first sync of {person.user_id} did not succeed: {tag}")
            status.update(f"{person.user_id}: {tag['update_status'] or 'queued'} ...")
            time.sleep(POLL_SECONDS)


def _transactions_tag(service: JsonClient, person: Person) -> dict[str, Any]:
    [item] = service.get("/plaid/items", user_id=person.user_id)
    tags: list[dict[str, Any]] = item["products"]
    return next(tag for tag in tags if tag["product"] == "transactions")


def _say_what_next(
    service: JsonClient, bank_url: str, person: Person, key: str, data_dir: Path
) -> None:
    url, header = service.url, f'-H "Authorization: Bearer {key}"'
    item_id = service.get("/plaid/items", user_id=person.user_id)[0]["item_id"]
    coffee = '{"added": [{"amount": 4.50, "name": "Coffee"}]}'
    lines = (
        "",
        f"Read the API at {url}/docs (the key, for its Authorize button: {key}), or call it:",
        "",
        f'  curl -s {header} "{url}/plaid/accounts?user_id={person.user_id}"',
        f'  curl -s {header} "{url}/plaid/transactions?user_id={person.user_id}&limit=3"',
        f'  curl -s {header} "{url}/plaid/items?user_id={person.user_id}"',
        "",
        "Let something happen at the bank; a webhook brings it, and the second line above shows it:",
        "",
        f"  curl -s {bank_url}/platypus/items/{item_id}/changes -d '{coffee}'",
        "",
        "It is your database; ask it anything, read-only. All commands work in that folder:",
        "",
        f"  cd {shlex.quote(str(data_dir))}",
        f"  {shlex.quote(beside_python('bankloom'))} items list",
        f"  {shlex.quote(beside_python('bankloom'))} db psql",
        "",
        "Ctrl-C stops everything; the next demo finds the same data again.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _stay(program: Program) -> None:
    try:
        code = program.wait()
    except KeyboardInterrupt:
        console.print("\nStopping ...")
        return
    raise StartError(f"The service ended by itself (exit {code}); its log is in the data folder.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=2, retries=False).status == 200  # noqa: PLR2004 - OK
    except urllib3.exceptions.HTTPError:
        return False
