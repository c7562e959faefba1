"""Secrets: whatever happens, no token, key or password is left where it does not belong."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from all_commands import TELLS_ON_PURPOSE, run_all
from bankloom.console import doors
from bankloom.core import copy_programs
from bankloom.core.address import Address
from harness import wait_until
from link_scenes import hosted_link, through
from scenes import EXCHANGE_PATH, SYNC_PATH, ask_plaid, exchange, holding, newcomer, person, stored
from secret_scene import PLAID_SECRET, SIGN_IN_LINK, Scene
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
    from collections.abc import Iterator
    from pathlib import Path

    from all_commands import Said
    from harness import Api
    from platypus_bank.testing import Running
    from secret_scene import CrashingService

    Places = Iterator[tuple[str, set[str]]]

OTHER_PAGES = {"/metrics", "/openapi.json", "/docs", "/console/static/sign-in.js", "/nowhere"}


@pytest.mark.timeout(180)  # two starts and thirty commands, a third of that on a quiet machine
def test_no_secret_is_left_anywhere(bank: Running, reachable_dir: Path) -> None:
    """Sought in logs, answers, pages, the database's and temporary files, arguments, environments, URLs.

    After links, refusals, a crash, a kill in mid-sync, and every command of the command line.
    """
    port = free_port()
    with (
        tapped(bank.url) as tap,
        Arguments() as arguments,
        closing(Scene(bank, tap, reachable_dir)) as scene,
    ):
        process = scene.serve(port, "text", key="")
        known = go_through_everything(scene, process.api)
        look_at_pages(scene, process)
        crash(scene, process.api, known)
        assert_children_know_nothing(scene, process)
        with holding(bank, SYNC_PATH) as hold:
            exchange(process.api, newcomer(process.api, bank, "ivy", **person()).public_token)
            hold.reached()
            process.kill()
        scene.note_log(process)
        process = scene.serve(port, "json")
        look_at_pages(scene, process)
        item_id, token = link(scene, process.api, "hugo")
        crash(scene, process.api, token)
        scene.note_keyring()
        given = f"{token} hugo transactions\n{token} {token}\n{token[:-1]} ada x\n"
        said = run_all(scene.environment(port, "text"), item_id, "grace", given)
        scene.note_keyring()
        process.stop()
        scene.note_log(process)
    scene.handed_over |= secrets_in(said[name].text for name in TELLS_ON_PURPOSE)
    reader = Address.parse(said["db url"].text.strip())
    scene.reader_passwords.add(reader.parameters["password"])
    scene.handed_over.add(said["keys generate"].text.strip().rpartition(":")[2])
    places = chain(said_by(scene, said), told_to_programs(scene, arguments), left_by(scene))
    leaks = {f"{place}: {sorted(found)}" for place, found in places if found}
    assert not leaks, "\n".join(sorted(leaks))


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def link(scene: Scene, api: Api, user: str) -> tuple[str, str]:
    """Link for one more person; return the Item and its access token."""
    new = newcomer(api, scene.bank, user, **person())
    token: str = exchange(api, new.public_token).json()["access_token"]
    scene.handed_over.add(new.public_token)
    wait_until(lambda: api.sync(new.item_id)["status"] in {"synced", "up_to_date"})
    return new.item_id, token


def go_through_everything(scene: Scene, api: Api) -> str:
    """Link, sync and fail in as many ways as there are; return an access token."""
    bank = scene.bank
    new = newcomer(api, bank, "ada", **person())
    bank.control.fault(EXCHANGE_PATH, drop=True)
    exchange(api, new.public_token)
    token: str = exchange(api, new.public_token).json()["access_token"]
    exchange(api, new.public_token, user_id="grace")
    doubled = newcomer(api, bank, "ada", **person()).public_token
    exchange(api, doubled)
    scene.handed_over |= {new.public_token, doubled}
    bank.control.changes(new.item_id, added=[{"transaction_id": "t"}])
    wait_until(lambda: api.sync(new.item_id)["status"] in {"synced", "up_to_date"})
    wait_until(lambda: stored(api, user_id="ada").keys() == {"t"})
    scene.handed_over.add(through(bank, hosted_link(api, "grace")))
    wait_until(lambda: len(api.get("/plaid/items", user_id="grace").json()) == 1)
    minted = api.post("/keys", user_id="ada", scopes=["read", "link"]).json()["key"]
    with scene.caller(api.url, minted).client as client:
        asked = {"public_token": new.public_token, "product": "transactions"}
        assert client.post("/plaid/exchange", json=asked).json()["access_token"] is None
        client.post("/plaid/items/x/link-token", json={"reason": token})
    fail_in_every_way(scene, api, token)
    api.post("/plaid/exchange", public_token=new.public_token, product="x", surprise=token)
    api.post("/plaid/sync", item_id=token)
    api.post("/plaid/sync", access_token=new.public_token)
    for path in ("/plaid/accounts", "/plaid/items", "/keys", "/audit", f"/plaid/items/{token}"):
        api.get(path, user_id="*")
    return token


def fail_in_every_way(scene: Scene, api: Api, token: str) -> None:
    """Let syncs meet a lost connection, garbage that repeats the token, refusals, a broken login."""
    echo = json.dumps({"error": f"what is {token}?", "header": PLAID_SECRET})
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


def look_at_pages(scene: Scene, process: CrashingService) -> None:
    """Sign in with the link's code, then with a key, and look at every page; first without either."""
    code = process.told(SIGN_IN_LINK).rpartition("#")[2]
    for given in ("", code, code, process.api.key):
        with scene.browser(process.api.url) as browser:
            signed_in = given and browser.sign_in(given).status_code == 200
            for path in pages() | OTHER_PAGES:
                browser.get(path)
            if signed_in:
                name = browser.cookies["bankloom"].strip('"').partition("~")[0]
                scene.sessions.add(name.removeprefix("session."))
                browser.submit("/console", "/console/signout")
    assert scene.sessions


def pages() -> set[str]:
    """Return the path of every page of the console; one with a parameter needs a case of its own."""
    paths = {route.path for route in doors.router.routes if "GET" in route.methods}  # type: ignore[attr-defined]  # all are an APIRoute
    assert not [path for path in paths if "{" in path]
    return paths


def crash(scene: Scene, api: Api, token: str) -> None:
    """Let a job and a request end as nobody foresaw, with a token in hand."""
    new = newcomer(api, scene.bank, "ada", **person({"type": "depository", "subtype": "savings"}))
    scene.handed_over.add(new.public_token)
    (scene.folder / "crash").touch()
    api.post("/plaid/sync", access_token=token)
    own = scene.caller(api.url, api.key)  # after an error that nobody foresaw, the server hangs up
    with own.client:
        assert exchange(own, new.public_token).status_code == 500
    (scene.folder / "crash").unlink()


def assert_children_know_nothing(scene: Scene, process: CrashingService) -> None:
    """The database's processes are told no token, no key and no password, by argument or environment."""
    cluster = scene.folder.resolve() / "data" / "postgres"
    children = {*below(process.process.pid), *working_in(cluster)}
    assert children
    for pid in children:
        assert not found_in(told_to(pid), scene.secrets | scene.passwords)


def said_by(scene: Scene, said: dict[str, Said]) -> Places:
    """Look into logs, what commands print, answers, pages, cookies and URLs of Plaid's."""
    everything = scene.secrets | scene.passwords
    assert len(scene.secrets) > 20
    assert len(scene.logs) == 2
    for number, log in enumerate(scene.logs):
        assert "crashed with" in log
        yield f"log {number}", found_in(log.encode(), everything | scene.sessions)
    for name in said.keys() - TELLS_ON_PURPOSE:
        yield f"command {name}", found_in(said[name].text.encode(), everything)
    for told in scene.answers:
        yield f"answer {told.path}", found_in(told.text.encode(), everything | scene.sessions)
        yield f"cookie {told.path}", found_in(told.cookies.encode(), everything)
    for path in scene.tap.asked:
        yield f"URL {path}", found_in(path.encode(), everything)


def told_to_programs(scene: Scene, arguments: Arguments) -> Places:
    """Look at the arguments of every process, and at the environment of PostgreSQL's programs."""
    secrets = scene.secrets | scene.sessions
    for command_line in arguments.seen:
        yield f"arguments {command_line!r}", found_in(command_line, secrets | scene.passwords)
    assert {"postgres", "psql"} <= arguments.environments.keys()
    for program, environments in arguments.environments.items():
        for environment in environments:
            yield f"environment of {program}", found_in(environment, secrets)


def left_by(scene: Scene) -> Places:
    """Look into temporary files, the database's files, and its rows."""
    secrets = scene.secrets | scene.sessions
    server = scene.folder / "data" / "postgres"
    assert (server / "cluster" / "pg_wal").is_dir()
    yield from files_with(scene.folder / "temp", secrets | scene.passwords).items()
    yield from files_with(server, secrets).items()
    yield from files_with(server / "cluster", scene.passwords).items()
    rows = rows_of(scene.folder / "backup")
    assert b"COPY" in rows
    yield "rows", found_in(rows, secrets | scene.passwords)
    in_bytes = {each.encode().hex() for each in secrets | scene.passwords}
    yield "bytes in rows", found_in(rows, in_bytes)


def rows_of(backup: Path) -> bytes:
    """Return all rows as text: a long value is packed in the database's files."""
    arguments = ["--file=-", str(backup)]
    with copy_programs.output_of(copy_programs.restorer(), arguments) as rows:
        return rows.read()
