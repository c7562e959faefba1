"""The control API answers no website but its own, by whatever way a browser would be led to it."""

import http.client
import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers

from platypus_bank.gate import Gate


def post(url: str, path: str, method: str = "POST", **headers: str) -> tuple[int, dict[str, Any]]:
    """Call the control API with these headers; returns status and answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, json.dumps({"seconds": 60}), sent)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def advance(bank: Any, **headers: str) -> int:
    """Try to advance the clock; returns the status, and checks that the clock knows the same."""
    before = bank.control.clock()["offset_seconds"]
    status, _ = post(bank.url, "/platypus/clock/advance?client_id=some-client", **headers)
    assert bank.control.clock()["offset_seconds"] - before == (60 if status == 200 else 0)
    return status


def test_what_is_no_browser_passes(bank: Any) -> None:
    assert advance(bank) == 200


def test_its_own_pages_pass(bank: Any) -> None:
    port = urlsplit(bank.url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert advance(bank, Host=host, Origin=f"http://{host}") == 200
        assert advance(bank, Host=host, Sec_Fetch_Site="same-origin") == 200
    assert advance(bank, Sec_Fetch_Site="none") == 200


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://localhost:1", "http://127.0.0.1.evil.example"],
)
def test_another_origin_is_refused(bank: Any, origin: str) -> None:
    assert advance(bank, Origin=origin) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "odd"])
def test_another_site_is_refused(bank: Any, site: str) -> None:
    assert advance(bank, Sec_Fetch_Site=site) == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.7", "[", ""])
def test_a_name_that_was_rebound_is_refused(bank: Any, host: str) -> None:
    """Its page is of the same origin, so only the name tells."""
    assert advance(bank, Host=host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin") == 403
    assert advance(bank, Host=host) == 403
    assert post(bank.url, "/platypus/webhooks?client_id=some-client", "GET", Host=host)[0] == 403


def test_reading_is_open(bank: Any) -> None:
    """A page of another origin can't read what it gets; Plaid's own paths have keys."""
    foreign = {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"}
    assert post(bank.url, "/platypus/health?client_id=some-client", "GET", **foreign)[0] == 200


@pytest.mark.parametrize(
    ("told", "host", "passes"),
    [
        (["192.168.0.9"], "192.168.0.9:8080", True),
        (["192.168.0.9"], "192.168.0.10:8080", False),
        (["192.168.0.9"], "localhost", True),
        (["0.0.0.0"], "192.168.0.10:8080", True),  # noqa: S104 - the address is what is tested
        (["::"], "[fe80::1]:8080", True),
        (["0.0.0.0"], "bank", False),  # noqa: S104 - as above
        (["0.0.0.0", "Bank"], "bank:8080", True),  # noqa: S104 - as above
    ],
)
def test_the_address_it_was_told_to_listen_on_is_its_own(
    told: list[str], host: str, *, passes: bool
) -> None:
    gate = Gate(Starlette(), told)
    assert (gate._stranger(Headers({"host": host})) is None) == passes


def test_a_name_can_be_allowed() -> None:
    command = [sys.executable, "-m", "platypus_bank.cli", "serve", "--ephemeral", "--port", "0"]
    command += ["--allow-host", "bank"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        answers = [post(url, "/platypus/clock/stop", Host=name) for name in ("bank:1", "banque:1")]
        process.terminate()
    assert [status for status, _ in answers] == [200, 403]
    assert "--allow-host" in answers[1][1]["error"]
