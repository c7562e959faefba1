"""The service as a process, over the emulator and a database: what is measured while it runs."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx
import ours
from folders import new_folder

from bankloom.cli.processes import Program
from platypus_bank.testing import Control, running
from platypus_bank.webhooks import signing
from platypus_bank.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.webhooks.signing import SigningKey

API_KEY = "the-key-of-the-bench"
_PERSON = {
    "override_username": "user_custom",
    "override_password": json.dumps(
        {"override_accounts": [{"type": "depository", "subtype": "checking"}]}
    ),
}


class Bank(NamedTuple):
    """The emulator, and the key that it signs webhooks with."""

    url: str
    control: Control
    key: SigningKey


@contextmanager
def running_bank() -> Iterator[Bank]:
    """Run the emulator for the length of a block; histories are ready at once."""
    with new_folder() as folder:
        world = World(folder, seed=1)
        key = signing.current_key(world)
        world.store.close()
        with running(folder, seed=1) as bank:
            bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
            yield Bank(bank.url, bank.control, key)


@contextmanager
def running_service(
    bank: Bank, folder: Path, *options: str, database_url: str = ""
) -> Iterator[Program]:
    """Run `bankloom serve` for the length of a block; without a URL, over its embedded database."""
    environment = {
        "PLAID_CLIENT_ID": "bench",
        "PLAID_SECRET": "bench",
        "PLAID_BASE_URL": bank.url,
        "BANKLOOM_API_KEY": API_KEY,
        "BANKLOOM_DATA_DIR": str(folder),
        "BANKLOOM_DATABASE_URL": database_url,
        "BANKLOOM_ENCRYPTION_KEYS": ours.KEYRING,
        "BANKLOOM_RATE_LIMITS": "off",
        "BANKLOOM_REQUESTS_PER_MINUTE": "0",  # the one caller here has one key
    }
    command = [sys.executable, "-c", "from bankloom.cli import main; main()", "serve"]
    with Program(
        [*command, "--port", "0", *options],
        environment,
        "Bankloom is listening on ",
        folder / "service.log",
    ) as service:
        httpx.get(f"{service.url}/healthz").raise_for_status()
        yield service


def link(runtime: Runtime, bank: Bank, count: int) -> list[str]:
    """Store so many new Items, each with one account and no history; return their ids."""
    return [_link(runtime, bank) for _ in range(count)]


def _link(runtime: Runtime, bank: Bank) -> str:
    told = runtime.plaid.public_token_exchange(public_token(bank))
    ours.put_item(runtime, told.access_token, told.item_id)
    return told.item_id


def public_token(bank: Bank) -> str:
    """Let somebody new go through Link."""
    body = {
        "client_id": "bench",
        "secret": "bench",
        "institution_id": "ins_109508",
        "initial_products": ["transactions"],
        "options": _PERSON,
    }
    answer = httpx.post(f"{bank.url}/sandbox/public_token/create", json=body)
    token: str = answer.raise_for_status().json()["public_token"]
    return token
