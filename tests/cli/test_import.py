"""`bankloom items import`: Items linked elsewhere, a line each, proven, sealed and synced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commands import bankloom
from harness import environment_for, serving, wait_until
from scenes import (
    ask_plaid,
    assert_equals_ledger,
    bank_account,
    exchange,
    newcomer,
    person,
    purchases,
    query,
    sandbox_public_token,
    tags,
)
from workers import settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Row

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

UUID = "00000000-0000-0000-0000-000000000000"
WEBHOOK = "https://bank.example/plaid/webhook"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The settings of a service that Plaid can reach."""
    return settings.model_copy(update={"public_url": "https://bank.example"})


@pytest.fixture
def beside(settings: Settings) -> dict[str, str]:
    """The environment of a command beside the service of this test."""
    return environment_for(settings) | {"BANKLOOM_PUBLIC_URL": "https://bank.example"}


@pytest.fixture
def running(settings: Settings) -> Iterator[tuple[Api, Runtime]]:
    """The service, with its worker."""
    with serving(settings) as running_service:
        yield running_service


def linked_elsewhere(bank: Running, **login: str) -> tuple[str, str]:
    """Have an Item linked by another program; return its access token and its id."""
    options: dict[str, Any] = {f"override_{name}": value for name, value in login.items()}
    public_token = sandbox_public_token(bank, **options)
    told = ask_plaid(bank, "/item/public_token/exchange", public_token=public_token)
    return told["access_token"], told["item_id"]


def contents(runtime: Runtime) -> list[Sequence[Row[Any]]]:
    """Return every row that an import may write."""
    everything = "TABLE {} ORDER BY 1, 2"
    tables = ("users", "items", "item_products", "sync_runs")
    return [query(runtime, everything.format(table)) for table in tables]


def test_good_lines_are_imported_and_synced(
    running: tuple[Api, Runtime], bank: Running, beside: dict[str, str]
) -> None:
    """Each Item is its person's, has its tags, our webhook and its history; again changes nothing."""
    api, runtime = running
    one, one_id = linked_elsewhere(bank, **person(bank_account(transactions=purchases(9))))
    other, other_id = linked_elsewhere(bank)
    given = f"# of before\n\n{one} ada transactions\n  {other}\tada transactions,liabilities \r\n"
    ended = bankloom(beside, "items", "import", given=given)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        f"line 3: imported, Item {one_id}",
        f"line 4: imported, Item {other_id}",
        "2 imported.",
    ]
    for item_id in (one_id, other_id):
        api.sync_until_complete(item_id)
        item = api.get(f"/plaid/items/{item_id}").json()
        assert (item["user_id"], item["webhook_url"]) == ("ada", WEBHOOK)
        assert_equals_ledger(api, bank, item_id)
        history = api.get("/plaid/runs", item_id=item_id).json()["runs"]
        assert history[-1]["trigger"] == "import"
    assert {tag["product"] for tag in item["products"]} == {"transactions", "liabilities"}
    settle(runtime)
    before = contents(runtime)
    again = bankloom(beside, "items", "import", given=given)
    assert again.returncode == 0
    assert again.stdout.splitlines()[-1] == "2 held already."
    assert contents(runtime) == before
    for secret in (one, other):
        assert secret not in ended.stdout + again.stdout + str(before)


def test_a_new_token_mends_what_the_old_one_failed_for(
    running: tuple[Api, Runtime], bank: Running, beside: dict[str, str]
) -> None:
    """After a rotation elsewhere the import of the new token is all that it takes."""
    api, _ = running
    one, item_id = linked_elsewhere(bank, **person(bank_account(transactions=purchases(3))))
    assert bankloom(beside, "items", "import", given=f"{one} ada transactions").returncode == 0
    api.sync_until_complete(item_id)
    new = ask_plaid(bank, "/item/access_token/invalidate", access_token=one)["new_access_token"]
    assert api.sync(item_id)["error"]["code"] == "INVALID_ACCESS_TOKEN"
    bank.control.changes(item_id, added=[{"amount": 5}])
    ended = bankloom(beside, "items", "import", given=f"{new} ada transactions")
    assert "changed" in ended.stdout
    wait_until(lambda: api.get(f"/plaid/items/{item_id}").json()["state"] == "healthy")
    assert_equals_ledger(api, bank, item_id)


def test_a_bad_line_stops_no_other(
    running: tuple[Api, Runtime], bank: Running, beside: dict[str, str]
) -> None:
    """Each is refused by its number, without its words, and nothing of it is stored; code 1."""
    api, runtime = running
    good, item_id = linked_elsewhere(bank, **person())
    other = f"access-production-{UUID}"
    unknown = f"access-sandbox-{UUID}"
    lines = [
        f"{unknown} ada transactions",
        f"{other} ada transactions",
        f"{good} ada",
        f"{good} ada transactions, liabilities",
        f"ada {good} transactions",
        f"{good} {good} transactions",
        f"{good} ada {good}",
        f"{good} ada transactions,transactions",
        f"{good} ada balance",
        f"{good} * transactions",
        f"{good} {'x' * 513} transactions",
        f"{good} ada transactions",
    ]
    bank.control.forget_calls()
    ended = bankloom(beside, "items", "import", given="\n".join(lines))
    assert ended.returncode == 1
    told = ended.stderr.splitlines()
    assert [line.partition(":")[0] for line in told] == [f"line {n}" for n in range(1, 12)]
    assert "PLAID_ENV is sandbox" in told[1]
    assert "2 fields" in told[2]
    for secret in (good, other, unknown, good[-12:]):
        assert secret not in ended.stdout + ended.stderr
    assert ended.stdout.splitlines() == [
        f"line 12: imported, Item {item_id}",
        "11 refused, 1 imported.",
    ]
    wait_until(lambda: tags(runtime) == {"transactions": "ready"})
    assert query(runtime, "SELECT name FROM users") == [("ada",)]
    assert len(bank.control.calls("/item/get")) <= 3  # the unknown token, the good one, its run
    assert_equals_ledger(api, bank, item_id)


def test_an_item_that_is_held_is_added_to(
    running: tuple[Api, Runtime], bank: Running, beside: dict[str, str]
) -> None:
    """Tags that it lacks and another access token are taken; another person's Item is refused."""
    api, runtime = running
    bank.control.settings(exchange_mode="rotate")
    new = newcomer(api, bank, products=["transactions", "liabilities"], **person())
    first = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    rotated = ask_plaid(bank, "/item/public_token/exchange", public_token=new.public_token)
    second = rotated["access_token"]
    assert second != first
    given = f"{second} bob transactions\n{second} ada transactions\n{second} ada liabilities\n"
    ended = bankloom(beside, "items", "import", given=given)
    assert ended.returncode == 1
    assert "another user's" in ended.stderr
    assert ended.stdout.splitlines() == [
        f"line 2: changed, Item {new.item_id}",
        f"line 3: changed, Item {new.item_id}",
        "1 refused, 2 changed.",
    ]
    (item,) = query(runtime, "SELECT * FROM items")
    assert item.token_generation == 2
    assert runtime.keyring.open(item.access_token_sealed, new.item_id) == second
    wait_until(lambda: tags(runtime).keys() == {"transactions", "liabilities"})
    assert query(runtime, "SELECT name FROM users") == [("ada",)]
    bank.control.changes(new.item_id, added=[{"amount": 1}])
    assert api.sync(new.item_id)["status"] == "synced"
    assert_equals_ledger(api, bank, new.item_id)


def test_plaid_away_is_said_of_each_line(
    running: tuple[Api, Runtime], bank: Running, beside: dict[str, str]
) -> None:
    """Where Plaid gives no answer nothing is stored, and the same lines do later."""
    _, runtime = running
    token, item_id = linked_elsewhere(bank, **person())
    bank.control.fault("/item/get", drop=True)
    given = f"{token} ada transactions\n{token} ada transactions\n"
    ended = bankloom(beside, "items", "import", given=given)
    assert ended.returncode == 1
    assert ended.stderr.startswith("line 1: refused. Plaid gave no answer")
    assert ended.stdout.splitlines()[0] == f"line 2: imported, Item {item_id}"
    assert len(query(runtime, "SELECT 1 FROM items")) == 1


def test_nothing_to_import(beside: dict[str, str], settings: Settings) -> None:
    """No line is no error; bytes that are no text are."""
    del settings
    ended = bankloom(beside, "items", "import", given="\n# nothing\n")
    assert (ended.returncode, ended.stdout) == (0, "Nothing to import.\n")
