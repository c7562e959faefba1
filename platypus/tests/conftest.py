"""A real Platypus process, and the two ways tests speak to it: raw JSON and plaid-python."""

import importlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import plaid
import pytest
from plaid.api import plaid_api

from households import Household
from platypus_bank.receiver import Receiver, receiving
from platypus_bank.testing import Running, running
from raw_plaid import CONTRACT, KEYS, Plaid


@pytest.fixture(scope="session")
def process() -> Iterator[Running]:
    with running(client_id=KEYS["PLAID-CLIENT-ID"]) as bank:
        yield bank


@pytest.fixture
def bank(process: Running) -> Running:
    """Begin a new world in which history is there at once."""
    process.control.reset()
    process.control.settings(initial_update_seconds=0, historical_update_seconds=0)
    return process


@pytest.fixture(scope="module")
def household(process: Running, request: pytest.FixtureRequest) -> Household:
    """A world for the tests of one module that leave it as it was; others' resets don't touch it."""
    return Household.at(process, f"household of {request.module.__name__}")


@pytest.fixture
def begin(bank: Running) -> Iterator[Callable[[int], None]]:
    """Begin a world on a seed of the test's choice; other tests get the usual one again."""

    def anew(seed: int) -> None:
        bank.control.reset(seed)
        bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)

    yield anew
    anew(1)


@pytest.fixture
def api(bank: Running) -> Plaid:
    return Plaid(bank)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where webhooks go; it answers 200 unless told otherwise."""
    with receiving() as made:
        yield made


@pytest.fixture
def typed(bank: Running) -> Iterator[Any]:
    """plaid-python in its strict typed mode: a missing or null required field raises."""
    keys = {"clientId": "some-client", "secret": "some-secret"}
    with plaid.ApiClient(plaid.Configuration(host=bank.url, api_key=keys)) as client:
        yield plaid_api.PlaidApi(client)


@pytest.fixture
def read_webhook(typed: Any) -> Callable[[str, Any], Any]:
    """Read a webhook's body as a model of plaid-python, which is strict about required fields."""

    def read(model: str, received: Any) -> Any:
        module = importlib.import_module(f"plaid.model.{model}")
        named = {name.lower(): kind for name, kind in vars(module).items()}
        kind = named[model.replace("_", "")]
        answer = SimpleNamespace(data=received.body.decode())
        return typed.api_client.deserialize(answer, (kind,), _check_type=True)

    return read


@pytest.fixture
def ledger(bank: Running) -> Callable[[str], dict[str, Any]]:
    """Read what a correct client must hold now, by transaction_id."""

    def read(item_id: str) -> dict[str, Any]:
        rows = Plaid(bank).send(f"/platypus/ledger/{item_id}", b"", "GET")["transactions"]
        return {row["transaction_id"]: row for row in rows}

    return read


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand this worker's cases to the process that prints the summary."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["contract"] = [[*case, count] for case, count in CONTRACT.cases.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for path, outcome, count in getattr(node, "workeroutput", {}).get("contract", []):
        CONTRACT.cases[path, outcome] += count


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if CONTRACT.cases:
        terminalreporter.write_line(CONTRACT.summary())
