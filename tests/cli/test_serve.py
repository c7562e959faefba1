"""`bankloom serve`: the first start, the next ones, and what is said when one fails."""

from __future__ import annotations

import re
import socket

import pytest

from commands import bankloom
from harness import API_KEY, Api, ServiceProcess, wait_until


def status(url: str, key: str) -> int:
    with Api(url, key).client as client:
        return client.get("/plaid/accounts").status_code


def test_the_first_start_shows_a_key_once(environment: dict[str, str]) -> None:
    """The key of the first start works, then and later, and is never shown again."""
    first = ServiceProcess(environment)
    shown = wait_until(lambda: re.search(r"shown only this once: (\S+)", first.log))
    key = shown.group(1)
    assert status(first.api.url, key) == 200
    assert status(first.api.url, key + "x") == 401
    assert first.stop() == 0
    assert first.log.count(key) == 1
    second = ServiceProcess({**environment, "BANKLOOM_API_KEY": API_KEY})
    assert [status(second.api.url, each) for each in (key, API_KEY)] == [200, 200]
    assert second.stop() == 0
    assert "service key" not in second.log


def test_a_taken_port_is_one_sentence(environment: dict[str, str]) -> None:
    """Another program's port is named, before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = bankloom(environment, "serve", "--port", port)
    assert ended.returncode == 2
    assert port in ended.stderr
    assert "in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_serving_without_a_worker(environment: dict[str, str]) -> None:
    """With --no-worker the API answers, and /readyz says that nobody takes jobs."""
    serving = ServiceProcess(environment, "--no-worker")
    assert serving.api.get("/healthz").status_code == 200
    assert serving.api.get("/readyz").status_code == 503
    assert serving.stop() == 0


def test_a_concurrency_out_of_bounds_is_refused(environment: dict[str, str]) -> None:
    """It is said before anything is started."""
    for number in ("0", "65", "x"):
        ended = bankloom(environment, "worker", "--concurrency", number)
        assert ended.returncode == 2
        assert "--concurrency" in ended.stderr


KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BANKLOOM_ENCRYPTION_KEYS", KEY, "32 bytes"),
        ("BANKLOOM_ENCRYPTION_KEYS", f"main:{KEY}", "no key named 'index'"),
        ("BANKLOOM_API_KEY", "hunter2", "BANKLOOM_API_KEY"),
        ("BANKLOOM_DATABASE_URL", "postgresql:/me:hunter2@host/db", "BANKLOOM_DATABASE_URL"),
        ("PLAID_CLIENT_ID", "", "PLAID_CLIENT_ID and PLAID_SECRET are not both set"),
        ("PLAID_SECRET", "", "PLAID_CLIENT_ID and PLAID_SECRET are not both set"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    environment: dict[str, str], name: str, value: str, said: str
) -> None:
    """It says what to mend, without a traceback and without the secret."""
    ended = bankloom({**environment, name: value}, "serve", "--port", "0")
    assert ended.returncode == 1
    assert said in ended.stderr
    for secret in ("Traceback", KEY[:12], "hunter2"):
        assert secret not in ended.stderr
