"""Secrets: the first source that has one gives it, and says so; a folder is as it is mounted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bankloom.core import secret_files, secrets
from bankloom.core.errors import ConfigurationError
from bankloom.core.settings import Settings
from secret_places import KubernetesMount

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the developer's own: neither variables nor a file."""
    for name in os.environ:
        if name.startswith(("PLAID_", "BANKLOOM_", secrets.CREDENTIALS_VARIABLE)):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets, as Docker mounts it, that the settings name."""
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    monkeypatch.setenv("BANKLOOM_SECRETS_DIR", str(folder))
    return folder


def secret_in_use() -> str:
    return Settings.read().plaid.secret.get_secret_value()


def test_the_first_source_wins_and_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mounted: Path
) -> None:
    """Environment, .env, the named folder, systemd's: each goes before all that come after it."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    places: dict[str, Callable[[str], object]] = {
        "systemd credential": (credentials / "PLAID_SECRET").write_text,
        f"file in {mounted}": (mounted / "PLAID_SECRET").write_text,
        ".env": lambda text: (tmp_path / ".env").write_text(f"PLAID_SECRET={text}\n"),
        "environment": lambda text: monkeypatch.setenv("PLAID_SECRET", text),
    }
    assert Settings.read().sources() == {}
    for number, (origin, put) in enumerate(places.items()):
        put(f"secret-{number}")
        settings = Settings.read()
        assert settings.plaid.secret.get_secret_value() == f"secret-{number}"
        assert settings.sources() == {"PLAID_SECRET": origin}


def test_every_secret_setting_comes_from_a_file(mounted: Path) -> None:
    """All five, whatever the case of the file's name, and without the line end of an editor."""
    given = {
        "plaid_client_id": "me",
        "PLAID_SECRET": "s3cr3t",
        "bankloom_api_key": "sixteen-letters-",
        "BANKLOOM_ENCRYPTION_KEYS": "main:x,index:y",
        "BANKLOOM_DATABASE_URL": "postgresql://a@b/c",
        "PLAID_ENV": "production",
        "something_else": "x",
    }
    for name, value in given.items():
        (mounted / name).write_text(f" {value}\r\n")
    settings = Settings.read()
    found = (
        settings.plaid.client_id,
        settings.plaid.secret.get_secret_value(),
        *(
            secret and secret.get_secret_value()
            for secret in (settings.api_key, settings.encryption_keys, settings.database_url)
        ),
    )
    assert found == tuple(given.values())[:5]
    assert settings.plaid.env == "sandbox"
    assert settings.sources() == dict.fromkeys(secrets.NAMES, f"file in {mounted}")


def test_an_empty_one_is_none(monkeypatch: pytest.MonkeyPatch, mounted: Path) -> None:
    """`PLAID_SECRET=` and an empty file leave the secret to the sources that come after."""
    monkeypatch.setenv("PLAID_SECRET", "")
    (mounted / "PLAID_SECRET").write_text("from the file")
    (mounted / "BANKLOOM_API_KEY").write_text("\n")
    settings = Settings.read()
    assert settings.sources() == {"PLAID_SECRET": f"file in {mounted}"}
    assert settings.api_key is None


def test_kubernetes_swaps_a_mounted_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its links through `..data` are read, each version as a whole, and a swap is noticed."""
    mount = KubernetesMount(tmp_path / "mount", {"PLAID_SECRET": "first"})
    monkeypatch.setenv("BANKLOOM_SECRETS_DIR", str(mount.folder))
    settings = Settings.read()
    assert settings.plaid.secret.get_secret_value() == "first"
    found = settings.secrets_found
    assert found is not None
    assert secrets.file_marks(found.sources) == found.file_marks
    mount.update({"PLAID_SECRET": "other"})
    assert secrets.file_marks(found.sources) != found.file_marks
    assert secret_in_use() == "other"


def test_other_files_are_no_change(mounted: Path, tmp_path: Path) -> None:
    """What is written beside our secrets makes nobody ask a secrets manager."""
    (mounted / "PLAID_SECRET").write_text("x")
    found = Settings.read().secrets_found
    assert found is not None
    (mounted / "of-another-program").write_text("x")
    assert secrets.file_marks(found.sources) == found.file_marks
    (tmp_path / ".env").write_text("PLAID_SECRET=y\n")
    assert secrets.file_marks(found.sources) != found.file_marks


def spoil_missing(folder: Path) -> None:
    folder.rmdir()


def spoil_by_a_folder(folder: Path) -> None:
    (folder / "PLAID_SECRET").mkdir()


def spoil_by_a_link(folder: Path) -> None:
    (folder.parent / "elsewhere").write_text("s3cr3t")
    (folder / "PLAID_SECRET").symlink_to(folder.parent / "elsewhere")


def spoil_by_bytes(folder: Path) -> None:
    (folder / "PLAID_SECRET").write_bytes(b"s3cr3t\xff")


def spoil_by_size(folder: Path) -> None:
    (folder / "PLAID_SECRET").write_text("s3cr3t" * secret_files.FILE_BYTES_MAX)


def spoil_by_lines(folder: Path) -> None:
    (folder / "PLAID_SECRET").write_text("s3cr3t\nPLAID_CLIENT_ID: x")


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_missing,
        spoil_by_a_folder,
        spoil_by_a_link,
        spoil_by_bytes,
        spoil_by_size,
        spoil_by_lines,
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(
    mounted: Path, spoil: Callable[[Path], None]
) -> None:
    """Nothing is left out silently; the sentence names the file or its variable, not the value."""
    spoil(mounted)
    with pytest.raises(ConfigurationError) as caught:
        Settings.read()
    assert str(mounted) in str(caught.value) or "PLAID_SECRET" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_file_is_a_file(mounted: Path) -> None:
    """A folder that is no folder is said too."""
    mounted.rmdir()
    mounted.write_text("s3cr3t")
    with pytest.raises(ConfigurationError, match="can't be read: Not a directory"):
        Settings.read()


def test_what_was_found_is_not_shown(mounted: Path) -> None:
    """Neither the settings nor their origins show a value."""
    (mounted / "PLAID_SECRET").write_text("s3cr3t")
    (mounted / "BANKLOOM_ENCRYPTION_KEYS").write_text("s3cr3t")
    settings = Settings.read()
    assert "s3cr3t" not in f"{settings!r} {settings.sources()} {secrets.read()!r}"
