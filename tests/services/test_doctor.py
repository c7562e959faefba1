"""What the doctor finds, each against the real thing: a database, Plaid over HTTP, a service that answers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bankloom import migrations
from bankloom.core import clock
from bankloom.services.doctor import examine
from bankloom.services.doctor.findings import Standing
from commands import bankloom
from harness import environment_for, serving, settings_for
from scenes import query
from workers import store_item

if TYPE_CHECKING:
    from pathlib import Path

    from bankloom.core.settings import Settings
    from bankloom.services.doctor.findings import Finding
    from bankloom.services.runtime import Runtime
    from gateway import Gateway
    from platypus_bank.testing import Running

REDIRECT = "https://app.example/oauth"


def examined(settings: Settings) -> list[Finding]:
    return list(examine.now(settings, migrations.looked_at))


def found(settings: Settings, name: str, *standings: Standing) -> list[Finding]:
    """Return the findings of that name which stand like that."""
    wanted = standings or (Standing.WARNING, Standing.FAILURE)
    return [each for each in examined(settings) if each.name == name and each.standing in wanted]


def replaced(settings: Settings, **plaid: Any) -> Settings:
    """Return the settings with others of Plaid's."""
    return settings.model_copy(update={"plaid": settings.plaid.model_copy(update=plaid)})


def test_a_healthy_service(settings: Settings) -> None:
    """All is well but what a test can't have: TLS. A webhook sent through the public URL arrived."""
    with serving(settings, gets_webhooks=True) as (_, runtime):
        findings = examined(replaced(runtime.settings, redirect_uri=REDIRECT))
    told = {each.seen for each in findings if each.standing is not Standing.OK}
    assert told == {f"{runtime.settings.public_url} is not encrypted"}
    assert {each.name for each in findings} >= {
        "settings", "disk", "keys", "database", "clock", "engine", "Plaid", "redirect URI",
        "products", "webhooks",
    }  # fmt: skip


def test_a_data_folder_that_can_not_be_used(settings: Settings, tmp_path: Path) -> None:
    """It is told before the first start fails of it; what a failed start left is no database."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "data", tmp_path / "file"):
        away = settings.model_copy(update={"data_dir": folder, "database_url": None})
        assert "can't be used" in found(away, "disk", Standing.FAILURE)[0].seen
    (tmp_path / "left" / "postgres").mkdir(parents=True)
    left = settings.model_copy(update={"data_dir": tmp_path / "left", "database_url": None})
    assert found(left, "database", Standing.WARNING)
    assert list((tmp_path / "left" / "postgres").iterdir()) == []


def test_nothing_is_there_yet(bank: Running, tmp_path: Path) -> None:
    """Before the first start it says so, and makes nothing."""
    data_dir = tmp_path / "data"
    settings = settings_for(bank.url, "", data_dir).model_copy(update={"database_url": None})
    seen = [each.seen for each in examined(settings) if each.standing is Standing.WARNING]
    assert any("no database yet" in each for each in seen)
    assert not data_dir.exists()


@pytest.mark.usefixtures("parts")
def test_wrong_credentials_are_told_to_scripts(settings: Settings, bank: Running) -> None:
    """By the exit code and in JSON; the secret is nowhere in it."""
    bank.control.settings(secrets=["another"])
    ended = bankloom(environment_for(settings), "doctor", "--json")
    bank.control.settings(secrets=[])
    failures = [each for each in json.loads(ended.stdout) if each["standing"] == "failure"]
    assert (ended.returncode, [each["name"] for each in failures]) == (1, ["Plaid"])
    assert "dashboard.plaid.com" in failures[0]["next_step"]
    assert settings.plaid.secret.get_secret_value() not in ended.stdout + ended.stderr


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    ("error_code", "message", "name", "standing"),
    [
        ("INVALID_PRODUCT", "client is not authorized", "products", Standing.WARNING),
        (
            "INVALID_FIELD",
            "OAuth redirect URI must be configured in the developer dashboard",
            "redirect URI",
            Standing.FAILURE,
        ),
        ("INTERNAL_SERVER_ERROR", "an unexpected error occurred", "Plaid", Standing.FAILURE),
    ],
)
def test_what_plaid_refuses(  # noqa: PLR0917 - a table's columns
    settings: Settings,
    bank: Running,
    error_code: str,
    message: str,
    name: str,
    standing: Standing,
) -> None:
    """A product that is not enabled warns; an unlisted redirect URI or a failing Plaid fails."""
    error = {"error_type": "INVALID_INPUT", "error_code": error_code, "error_message": message}
    bank.control.fault("/link/token/create", error={**error, "status": 400}, times=1)
    (finding,) = found(replaced(settings, redirect_uri=REDIRECT), name, standing)
    assert finding.next_step


@pytest.mark.usefixtures("parts")
def test_plaid_does_not_answer(settings: Settings) -> None:
    """What is behind the network is told, and the rest is looked at all the same."""
    away = replaced(settings, base_url="http://127.0.0.1:1")
    assert [each.name for each in found(away, "Plaid", Standing.FAILURE)] == ["Plaid"]
    assert found(away, "database", Standing.OK)


def test_where_webhooks_end_up(settings: Settings, gateway: Gateway) -> None:
    """At nobody's, at somebody else's, at a Bankloom with another database: each is told apart."""

    def told(url: str) -> str:
        away = settings.model_copy(update={"public_url": url})
        return " ".join(each.seen for each in found(away, "webhooks", *Standing))

    with serving(settings, with_worker=False) as (api, _):
        assert "No service answers" in told("http://127.0.0.1:1")
        assert "leads to another Bankloom" in told(gateway.url)
        gateway.status = 302
        assert "answered HTTP 302" in told(gateway.url)
        assert "arrived here" in told(api.url)


@pytest.mark.usefixtures("parts")
def test_clocks_that_are_apart(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute spoils leases; five spoil every webhook."""
    true_now = clock.now
    for minutes, standings in ((1, ["failure", "warning"]), (6, ["failure", "failure"])):
        monkeypatch.setattr(clock, "now", lambda m=minutes: true_now() - timedelta(minutes=m))
        assert [each.standing for each in found(settings, "clock")] == standings


def test_a_keyring_that_others_may_read(parts: Runtime, settings: Settings) -> None:
    """It names the file and the command that mends it."""
    file = parts.settings.data_dir / "keyring"
    file.chmod(0o644)
    (finding,) = found(settings, "keys", Standing.FAILURE)
    assert finding.next_step == f"Run: chmod 600 {file}"


def test_a_lost_keyring(settings: Settings, parts: Runtime, bank: Running) -> None:
    """Nothing is made in its place: where something is sealed it fails, else the next start makes it."""
    file = parts.settings.data_dir / "keyring"
    file.unlink()
    assert [each.standing for each in found(settings, "keys")] == [Standing.WARNING]
    store_item(parts, bank)
    assert found(settings, "keys", Standing.FAILURE)
    assert not file.exists()


def test_no_worker_and_a_possible_orphan(parts: Runtime, settings: Settings) -> None:
    """Nothing syncs, and Plaid may hold an Item that nobody can reach."""
    query(
        parts,
        """
        WITH person AS (INSERT INTO users (name) VALUES ('ada') RETURNING id)
        INSERT INTO exchange_claims (public_token_hash, user_id, world, product, state, lease_until)
        SELECT 'hash', id, 'world', 'transactions', 'possible orphan', now() FROM person
        """,
    )
    assert found(settings, "engine", Standing.WARNING)
    assert "1 Items may be at Plaid" in found(settings, "Items")[0].seen


def test_an_old_schema(parts: Runtime, settings: Settings) -> None:
    """A look migrates nothing: it says what does."""
    query(parts, "UPDATE alembic_version SET version_num = '0001'")
    (finding,) = found(settings, "database", Standing.FAILURE)
    assert "bankloom serve" in finding.next_step
    assert query(parts, "SELECT version_num FROM alembic_version") == [("0001",)]


def test_a_damaged_keyring_is_no_keyring_to_copy(bank: Running, tmp_path: Path) -> None:
    """It says to give the former one back: a fresh key would open nothing."""
    settings = settings_for(bank.url, "", tmp_path).model_copy(
        update={"database_url": None, "encryption_keys": None}
    )
    (tmp_path / "keyring").write_text("main:AAAA")
    (tmp_path / "keyring").chmod(0o600)
    (told,) = found(settings, "keys", *Standing)
    assert told.standing is Standing.FAILURE
    assert "from a backup" in told.next_step
