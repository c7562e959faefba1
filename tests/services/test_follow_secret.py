"""A new PLAID_SECRET: taken as it comes, by calls under way too; anything else is not taken."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bankloom.core.errors import PlaidRefusedError
from bankloom.core.settings import Settings
from bankloom.opening import open_runtime
from bankloom.services import follow_secret
from bankloom.services.follow_secret import SecretFollower
from harness import environment_for, wait_until
from scenes import sandbox_public_token
from secret_places import KubernetesMount

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

OLD, NEW = "old-secret-of-the-mount", "new-secret-of-the-mount"
BESIDE = "test-secret"
"""What the tests' own calls show the bank."""


@pytest.fixture
def mount(tmp_path: Path) -> KubernetesMount:
    return KubernetesMount(tmp_path / "mount", {"PLAID_SECRET": OLD})


@pytest.fixture
def reading(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: Settings,
    mount: KubernetesMount,
    bank: Running,
) -> Iterator[Runtime]:
    """The parts over settings that were read, with the secret in a mount; the bank takes no other."""
    for name, value in environment_for(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PLAID_SECRET")
    monkeypatch.setenv("BANKLOOM_SECRETS_DIR", str(mount.folder))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(follow_secret, "LOOK_SECONDS", 30)  # only a refusal makes it look
    logging.getLogger("bankloom").setLevel(logging.INFO)
    bank.control.settings(secrets=[OLD, BESIDE])
    with closing(open_runtime(Settings.read())) as runtime:
        yield runtime
    logging.getLogger("bankloom").setLevel(logging.NOTSET)


def rotate(bank: Running, mount: KubernetesMount) -> None:
    """Delete the old secret in the Dashboard, and mount the new one."""
    bank.control.settings(secrets=[NEW, BESIDE])
    mount.update({"PLAID_SECRET": NEW})


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Runtime]:
    """Who has asked the sources so far, once each time."""
    asked: list[Runtime] = []
    whole = follow_secret.now

    def noted(runtime: Runtime) -> None:
        asked.append(runtime)
        whole(runtime)

    monkeypatch.setattr(follow_secret, "now", noted)
    return asked


def keys_refused(runtime: Runtime) -> None:
    with pytest.raises(PlaidRefusedError) as caught:
        runtime.plaid.link_token_get("link-sandbox-8ab976e6-64bc-4b38-98f7-731e7a349970")
    assert caught.value.error_code == "INVALID_API_KEYS"


def codes(bank: Running) -> list[str]:
    return [each["error_code"] for each in bank.control.calls()]


def test_a_refused_call_is_made_once_more(
    reading: Runtime, bank: Running, mount: KubernetesMount, log: io.StringIO
) -> None:
    """Plaid refuses the old secret: the new one is read at once, and the caller notices nothing."""
    public_token = sandbox_public_token(bank)
    rotate(bank, mount)
    bank.control.forget_calls()
    with SecretFollower(reading):
        reading.plaid.public_token_exchange(public_token)
    assert codes(bank) == ["INVALID_API_KEYS", None]
    assert f"A new PLAID_SECRET is in use, from: file in {mount.folder}" in log.getvalue()
    assert NEW not in log.getvalue()


def test_a_secret_that_stays_wrong_is_asked_for_once(
    reading: Runtime, bank: Running, readings: list[Runtime]
) -> None:
    """The refusal is the caller's; refusals that follow ask no source, for each costs a call."""
    bank.control.settings(secrets=[BESIDE])
    with SecretFollower(reading):
        for _ in range(3):
            keys_refused(reading)
    assert codes(bank)[-3:] == ["INVALID_API_KEYS"] * 3
    assert len(readings) == 1


def test_many_calls_share_a_look(
    reading: Runtime, bank: Running, mount: KubernetesMount, readings: list[Runtime]
) -> None:
    """Calls that are refused at the same time wait for one reading, and all go through after it."""
    tokens = [sandbox_public_token(bank) for _ in range(6)]
    rotate(bank, mount)
    done: list[str] = []

    def exchange(token: str) -> None:
        done.append(reading.plaid.public_token_exchange(token).item_id)

    with SecretFollower(reading):
        threads = [threading.Thread(target=exchange, args=[token]) for token in tokens]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(done)) == 6
    assert len(readings) == 1


def test_without_a_follower_a_refusal_is_a_refusal(
    reading: Runtime, bank: Running, mount: KubernetesMount
) -> None:
    """A command has read its settings just now; nothing is repeated."""
    rotate(bank, mount)
    bank.control.forget_calls()
    keys_refused(reading)
    assert codes(bank) == ["INVALID_API_KEYS"]


def test_a_changed_file_is_noticed(
    reading: Runtime, mount: KubernetesMount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Plaid refuses anything, for at first both are good; and from the reading at start on."""
    monkeypatch.setattr(follow_secret, "LOOK_SECONDS", 0.02)
    mount.update({"PLAID_SECRET": NEW})
    with SecretFollower(reading):
        wait_until(lambda: reading.plaid.secret.shown == NEW)


def test_a_manager_is_asked_again_in_time(
    reading: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no file is asked every BANKLOOM_SECRETS_CHECK_SECONDS."""
    monkeypatch.setattr(follow_secret, "LOOK_SECONDS", 0.02)
    monkeypatch.setenv("PLAID_SECRET", NEW)  # in place of a manager: nothing tells of it
    assert reading.settings.secrets_found is not None
    monkeypatch.setattr(reading.settings.secrets_found.sources, "secrets_check_seconds", 0.1)
    with SecretFollower(reading):
        wait_until(lambda: reading.plaid.secret.shown == NEW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLAID_CLIENT_ID", "another"),
        ("PLAID_ENV", "production"),
        ("PLAID_BASE_URL", "http://127.0.0.1:1"),
    ],
)
def test_another_world_is_not_entered(  # noqa: PLR0917 - fixtures
    reading: Runtime,
    mount: KubernetesMount,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
    name: str,
    value: str,
) -> None:
    """A secret that comes with another client, environment or host waits for a restart."""
    world = reading.plaid.world
    monkeypatch.setenv(name, value)
    mount.update({"PLAID_SECRET": NEW})
    follow_secret.now(reading)
    assert (reading.plaid.secret.shown, reading.plaid.world) == (OLD, world)
    assert "restart it to change that" in log.getvalue()
    assert value in log.getvalue()
    assert NEW not in log.getvalue()


@pytest.mark.parametrize("spoiled", ["", "two\nlines of a secret"])
def test_what_can_not_be_read_changes_nothing(
    reading: Runtime, mount: KubernetesMount, log: io.StringIO, spoiled: str
) -> None:
    """No secret, or none that a header can carry: the one in use stays, and the log says so."""
    mount.update({"PLAID_SECRET": spoiled})
    follow_secret.now(reading)
    assert reading.plaid.secret.shown == OLD
    assert "the one in use stays" in log.getvalue()
    assert "lines of a secret" not in log.getvalue()


def test_a_new_secret_is_blacked_out_before_it_is_used(
    reading: Runtime, mount: KubernetesMount, log: io.StringIO
) -> None:
    """No line of any thread shows it, from the moment on in which a call may."""
    mount.update({"PLAID_SECRET": NEW})
    follow_secret.now(reading)
    logging.getLogger("bankloom").warning("Somebody says %s", NEW)
    assert "Somebody says ***" in log.getvalue()
