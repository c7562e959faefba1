"""Settings: their names are fixed, their defaults safe, their errors name the variable to mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bankloom.core.errors import ConfigurationError
from bankloom.core.settings import Settings

FIXED_NAMES = {
    "PLAID_CLIENT_ID": ("plaid.client_id", "me", "me"),
    "PLAID_SECRET": ("plaid.secret", "s3cr3t", "s3cr3t"),
    "PLAID_ENV": ("plaid.env", "production", "production"),
    "PLAID_BASE_URL": ("plaid.base_url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    "PLAID_CLIENT_NAME": ("plaid.client_name", "Acme", "Acme"),
    "PLAID_COUNTRY_CODES": ("plaid.country_codes", "us, GB,", ["US", "GB"]),
    "PLAID_LANGUAGE": ("plaid.language", "fr", "fr"),
    "PLAID_REDIRECT_URI": ("plaid.redirect_uri", "https://a.example/x", "https://a.example/x"),
    "BANKLOOM_DATABASE_URL": ("database_url", "postgresql://a@b/c", "postgresql://a@b/c"),
    "BANKLOOM_DATA_DIR": ("data_dir", "/srv/bankloom", Path("/srv/bankloom")),
    "BANKLOOM_PUBLIC_URL": ("public_url", "https://a.example/", "https://a.example"),
    "BANKLOOM_API_KEY": ("api_key", "sixteen-letters-", "sixteen-letters-"),
    "BANKLOOM_ENCRYPTION_KEYS": ("encryption_keys", "main:x,index:y", "main:x,index:y"),
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the developer's own: neither variables nor a file."""
    for name in os.environ:
        if name.startswith(("PLAID_", "BANKLOOM_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def value_of(settings: Settings, path: str) -> object:
    found: object = settings
    for name in path.split("."):
        found = getattr(found, name)
    return found.get_secret_value() if hasattr(found, "get_secret_value") else found


@pytest.mark.parametrize(("name", "meaning"), FIXED_NAMES.items(), ids=FIXED_NAMES)
def test_environment_names(
    monkeypatch: pytest.MonkeyPatch, name: str, meaning: tuple[str, str, object]
) -> None:
    """Each documented variable sets its setting; tools and users rely on these names."""
    path, given, expected = meaning
    monkeypatch.setenv(name, given)
    assert value_of(Settings.read(), path) == expected


@pytest.mark.parametrize("name", [*FIXED_NAMES, "BANKLOOM_LEASE_SECONDS", "BANKLOOM_LOG_LEVEL"])
def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """`NAME=` in a compose file or a shell means the default, not an empty value."""
    default = Settings.read()
    monkeypatch.setenv(name, "")
    assert Settings.read() == default


def test_defaults() -> None:
    """Without any setting: Plaid's Sandbox, an embedded database, no webhook URL, no key."""
    settings = Settings.read()
    assert settings.plaid.host == "https://sandbox.plaid.com"
    assert settings.plaid.country_codes == ["US"]
    assert settings.plaid.redirect_uri is None
    assert (settings.database_url, settings.api_key, settings.encryption_keys) == (None, None, None)
    assert settings.webhook_url is None
    assert settings.data_dir == Path.home() / ".local" / "share" / "bankloom"


def test_a_file_beside_the_program_counts(tmp_path: Path) -> None:
    """A .env file in the working folder gives settings too."""
    (tmp_path / ".env").write_text("PLAID_ENV=production\nBANKLOOM_PUBLIC_URL=https://a.example/\n")
    settings = Settings.read()
    assert settings.plaid.host == "https://production.plaid.com"
    assert settings.webhook_url == "https://a.example/plaid/webhook"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BANKLOOM_API_KEY", "s3cr3t-too-short"[:15]),
        ("BANKLOOM_LEASE_SECONDS", "s3cr3t"),
        ("BANKLOOM_WORKER_CONCURRENCY", "0"),
        ("BANKLOOM_LOG_LEVEL", "s3cr3t"),
        ("PLAID_ENV", "s3cr3t"),
        ("PLAID_SECRET", "s3cr3t\r\nPLAID-CLIENT-ID: x"),
        ("PLAID_SECRET", "s3cr3t…"),
        ("PLAID_CLIENT_NAME", "s3cr3t" * 6),
        ("PLAID_COUNTRY_CODES", ","),
    ],
)
def test_a_bad_value_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The error names the variable and what it takes, and never the value: it may be a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        Settings.read()
    assert name in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_line_end_is_no_part_of_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file or a paste leaves behind a key would be refused by every HTTP client."""
    monkeypatch.setenv("PLAID_CLIENT_ID", " id\n")
    monkeypatch.setenv("PLAID_SECRET", "s3cr3t\r\n")
    plaid = Settings.read().plaid
    assert (plaid.client_id, plaid.secret.get_secret_value()) == ("id", "s3cr3t")


def test_secrets_are_not_shown_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever logs the settings shows no secret."""
    secrets = {name: "s3cr3t-of-sixteen" for name in FIXED_NAMES if "KEY" in name}
    secrets |= {"PLAID_SECRET": "s3cr3t", "BANKLOOM_DATABASE_URL": "postgresql://me:s3cr3t@h/d"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert "s3cr3t" not in f"{Settings.read()!r} {Settings.read()}"
