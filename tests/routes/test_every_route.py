"""Every route of the document, asked by those who may not: none lets them in, and nothing changes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from fastapi.routing import iter_route_contexts

from api_document import Field, Operation, operations
from bankloom.app import create_app
from bankloom.core import clock
from bankloom.models import ApiKey, Scope
from database_copies import hashes
from harness import serving, settings_for
from scenes import query
from two_people import ADA, GRACE, NEVER_EXISTED, key_of, things_of, unknown_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from bankloom.core.embedded_postgres import EmbeddedPostgres
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

WITHOUT_KEY = {"POST /plaid/webhook", "GET /healthz", "GET /readyz"}
"""Operations of the document that ask for no key: Plaid signs, and a health check tells nothing."""

OPEN_OUTSIDE_THE_DOCUMENT = {
    "GET /docs", "GET /openapi.json", "HEAD /openapi.json",
    "HEAD /healthz", "HEAD /readyz", "mount /static-offline-docs",
    "GET /", "GET /console/signin", "mount /console/static",
}  # fmt: skip
"""The document and its pages, the way to the console and its styles: the same for everyone."""

SHUT_OUTSIDE_THE_DOCUMENT = {
    "GET /console": 303,
    "POST /console/signin": 403,
    "POST /console/signout": 403,
}
"""Console pages, and what they answer without a session: the way to the sign-in, or no such form."""

WORDS: dict[str, str] = {
    "actor": "settings",
    "accept": "text/plain",
    "cursor": "MjAyNi0xMS0yNSBRUQ",
    "max_amount": "1",
    "min_amount": "1",
    "name": "a key",
    "personal_finance_category": "FOOD_AND_DRINK",
    "product": "transactions",
    "products": "transactions",
    "q": "coffee",
    "trigger": "person",
}
"""Free texts that name nobody's thing, by the name of the parameter or field."""

SHUT = {401, 403, 404}
COUNTED_ANYWAY = {
    "bankloom.counters",
    "bankloom.processes",
}  # written whenever the process finds time
LOOKED_AT_ONLY = {"/link/token/get", "/item/get"}  # calls that change nothing at Plaid


class World(NamedTuple):
    """A service that stands still, and two people who have linked banks."""

    api: Api
    runtime: Runtime
    bank: Running
    ada: dict[str, Any]
    grace: dict[str, Any]
    key: str
    operations: list[Operation]

    def ask(
        self, operation: Operation, key: str | None, values: dict[Field, Any]
    ) -> httpx.Response:
        """Ask for an operation as whoever has this key."""
        request = operation.request(values)
        headers = request.pop("headers") | ({"Authorization": f"Bearer {key}"} if key else {})
        self.api.client.headers.pop("Authorization", None)
        return self.api.client.request(**request, headers=headers)


@pytest.fixture(scope="module")
def world(
    cluster: EmbeddedPostgres, platypus: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Two people with banks; the worker that synced them is gone, so that nothing moves by itself."""
    platypus.control.reset()
    platypus.control.settings(initial_update_seconds=0, historical_update_seconds=0)
    with _database(cluster, "every_route") as url:
        settings = settings_for(platypus.url, url, tmp_path_factory.mktemp("data"))
        with serving(settings) as (api, runtime):
            ada, grace = (things_of(api, runtime, platypus, user) for user in (ADA, GRACE))
        with serving(settings, with_worker=False) as (api, runtime):
            key = key_of(runtime, ADA)
            document = api.get("/openapi.json").json()
            yield World(api, runtime, platypus, ada, grace, key, operations(document))


@contextmanager
def _database(cluster: EmbeddedPostgres, name: str) -> Iterator[str]:
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE bankloom OWNER bankloom'.encode())
        yield cluster.url.replace("/bankloom?", f"/{name}?")
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def nothing_changes(world: World) -> Iterator[None]:
    """Fail where the block changes a row of the database, or anything at Plaid."""
    before = _rows(world), world.bank.control.items()
    world.bank.control.forget_calls()
    yield
    asked = {call["path"] for call in world.bank.control.calls()}
    assert asked <= LOOKED_AT_ONLY
    now = _rows(world)
    assert {name for name in now if now[name] != before[0].get(name)} == set()
    assert world.bank.control.items() == before[1]


def _rows(world: World) -> dict[str, Any]:
    found = hashes(world.runtime.database.address.url)
    return {name: rows for name, rows in found.items() if name not in COUNTED_ANYWAY}


def guarded(world: World) -> list[Operation]:
    """Return the operations that ask for a key."""
    return [each for each in world.operations if each.scopes is not None]


def least(operation: Operation, whose: dict[str, Any]) -> dict[Field, Any]:
    """Return values for all that must be given: of this person where it names somebody's thing."""
    return {field: value_of(field, whose) for field in operation.fields if field.is_required}


def value_of(field: Field, whose: dict[str, Any]) -> Any:
    """Return a value for a parameter or field."""
    if field.name in whose:
        return whose[field.name]
    return WORDS[field.name] if field.is_free_text else field.plain_value


def test_the_crawler_knows_every_parameter_and_field(world: World) -> None:
    """What could name somebody's thing has another's value here, or is said to name nobody's."""
    assert world.ada.keys() == world.grace.keys() == NEVER_EXISTED.keys()
    unknown = {
        f"{operation}: {field.place} {'.'.join(field.path)}"
        for operation in world.operations
        for field in operation.fields
        if field.is_free_text and field.name not in {*NEVER_EXISTED, *WORDS}
    }
    assert not unknown, (
        "The crawler has no value for these. If one names a thing of somebody, add it to "
        "NEVER_EXISTED and `things_of` in tests/two_people.py, else to WORDS in this file: "
        f"{sorted(unknown)}"
    )


def test_what_asks_for_no_key_is_on_a_list(world: World) -> None:
    """A new route is shut by default: whoever opens one, or hides it from the document, says so here."""
    assert {str(each) for each in world.operations if each.scopes is None} == WITHOUT_KEY
    assert all(each.scopes for each in guarded(world)), "a key without any scope would open it"
    app = create_app(world.runtime, with_worker=False)
    documented = {str(each) for each in world.operations}
    hidden = {
        name
        for route in iter_route_contexts(app.routes)
        for name in (
            [f"{method} {route.path_format}" for method in route.methods]
            if route.methods
            else [f"mount {route.path}"]
        )
    } - documented
    assert hidden == OPEN_OUTSIDE_THE_DOCUMENT | SHUT_OUTSIDE_THE_DOCUMENT.keys()


def test_a_console_page_is_shut_without_a_session(world: World) -> None:
    """Also to whoever sends an API key along: what a page opens, only its own sign-in opens."""
    with nothing_changes(world):
        for name, status in SHUT_OUTSIDE_THE_DOCUMENT.items():
            for key in (None, world.key):
                method, path = name.split()
                answer = world.ask(Operation(method, path, None, ()), key, {})
                assert answer.status_code == status, name
                assert answer.headers.get("Location") in {None, "/console/signin"}


def test_nobody_comes_in_without_a_living_key(world: World) -> None:
    """No key, an expired, a revoked, an unknown, a malformed one: 401 each, before anything else."""
    runtime = world.runtime
    revoked, expired = (key_of(runtime, None) for _ in range(2))
    query(runtime, "UPDATE api_keys SET revoked_at = now() WHERE prefix = :p", p=revoked[:11])
    query(runtime, "UPDATE api_keys SET expires_at = now() WHERE prefix = :p", p=expired[:11])
    malformed = ["x", "bl_", f"{world.key} {world.key}", world.key[:-1], "%00", "*", world.key[:11]]
    with nothing_changes(world):
        for operation in guarded(world):
            for key in (None, revoked, expired, unknown_key(world.key), *malformed):
                answer = world.ask(operation, key, least(operation, world.grace))
                assert (answer.status_code, answer.json()["error"]["code"]) == (
                    401, "unauthorized",
                ), f"{operation} with {key}"  # fmt: skip


def test_nobody_comes_in_without_the_scope(world: World) -> None:
    """With every other scope and the whole reach, it is 403 and names the one that is missing."""
    without = {
        scope: key_of(world.runtime, None, *(each for each in Scope if each is not scope))
        for scope in Scope
    }
    touch(world, *without.values())
    with nothing_changes(world):
        for operation in guarded(world):
            for scope in operation.scopes or ():
                answer = world.ask(operation, without[Scope(scope)], least(operation, world.grace))
                assert answer.status_code == 403, str(operation)
                assert answer.json()["error"]["scope"] == scope


def touch(world: World, *keys: str) -> None:
    """Use keys once: that a key was used is noted once a minute, and is no finding."""
    with world.runtime.database.session() as session:
        for key in keys:
            row = ApiKey.verify(session, key, clock.now())
            assert row
            ApiKey.touch(session, row.id, clock.now())


def test_a_persons_key_opens_nothing_of_another(world: World) -> None:
    """Whatever names another's thing, in path, query or body, is as if it were not there: 404."""
    touch(world, world.key)
    tried = 0
    with nothing_changes(world):
        for operation, field in foreign_fields(world):
            values = least(operation, world.ada) | {field: world.grace[field.name]}
            answer = world.ask(operation, world.key, values)
            expected = SHUT if Scope.ADMIN in (operation.scopes or ()) else {404}
            assert answer.status_code in expected, f"{operation} by {field.path}: {answer.text}"
            tried += 1
    assert tried > 20


def test_what_is_anothers_looks_like_what_never_existed(world: World) -> None:
    """To the byte, headers included: that a thing exists is told to nobody but its owner."""
    for operation, field in foreign_fields(world):
        told = [
            answered(
                world.ask(
                    operation, world.key, least(operation, world.ada) | {field: things[field.name]}
                )
            )
            for things in (world.grace, NEVER_EXISTED)
        ]
        assert told[0] == told[1], f"{operation} by {field.path}"


def answered(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Return an answer without what no two answers have in common."""
    of_this_one = {"date", "x-request-id"}
    return (
        answer.status_code,
        answer.content,
        {name: value for name, value in answer.headers.items() if name not in of_this_one},
    )


def foreign_fields(world: World) -> list[tuple[Operation, Field]]:
    """Return every field by which an operation could be given another's thing."""
    return [
        (operation, field)
        for operation in guarded(world)
        for field in operation.fields
        if field.name in NEVER_EXISTED
    ]


def test_a_persons_key_is_told_of_nothing_of_another(world: World) -> None:
    """And is let in where it belongs, so that what was shut above was not shut for everybody."""
    shut = set()
    for operation in guarded(world):
        if operation.method != "GET":
            continue
        answer = world.ask(operation, world.key, least(operation, world.ada))
        if answer.status_code in SHUT:
            shut.add(str(operation))
            continue
        assert answer.status_code == 200, f"{operation}: {answer.text}"
        for name, value in world.grace.items():
            assert value not in answer.text, f"{operation} tells of another's {name}"
    assert shut == {"GET /keys", "GET /metrics", "GET /audit"}


NEEDS_MORE = {"POST /plaid/link-sessions/{link_session_id}/duplicates"}  # no duplicate is held here


def _how_final(operation: Operation) -> int:
    """Return a number that sorts what ends things behind what needs them: a person goes last."""
    return (operation.method == "DELETE") + (operation.path == "/plaid/users/{user_id}")


def test_whoever_may_comes_in(world: World) -> None:
    """With the same requests about what is one's own: the crawler asks rightly. Deletions come last."""
    service = key_of(world.runtime, None)
    for operation in sorted(guarded(world), key=_how_final):
        admin = Scope.ADMIN in (operation.scopes or ()) or operation.path == "/metrics"
        values = least(operation, world.ada)
        if operation.path == "/plaid/sync":
            values |= {f: world.ada["item_id"] for f in operation.fields if f.name == "item_id"}
        values |= {f: False for f in operation.fields if f.name == "wait"}
        answer = world.ask(operation, service if admin else world.key, values)
        shut = answer.status_code in SHUT | {400, 422}
        assert shut == (str(operation) in NEEDS_MORE), f"{operation}: {answer.text}"
