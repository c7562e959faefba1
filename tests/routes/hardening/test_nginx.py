"""The nginx of operating's page, as it stands there, in front of the service."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import API_KEY, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Api

OPERATING = Path(__file__).parents[3] / "docs/operating.md"
NAME = "bank.example.com"
GUESSES = 3


@pytest.fixture(scope="module")
def more_settings() -> dict[str, Any]:
    """The settings that the page names."""
    text = OPERATING.read_text()
    named = re.findall(r"`BANKLOOM_(PUBLIC_URL|TRUSTED_PROXIES)=([^`]+)`", text)
    return {name.lower(): value for name, value in named} | {"bad_keys_per_minute": GUESSES}


@pytest.fixture(scope="module")
def proxied(walled: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A caller of the service through nginx, over TLS."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx: operating's example is NOT tried (apt-get install nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    certificate = make_certificate(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(configuration(folder, walled.url, port))
    running = subprocess.Popen([nginx, "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
    tls = ssl.create_default_context(cafile=str(certificate))
    client = httpx.Client(base_url=f"https://127.0.0.1:{port}", headers={"Host": NAME}, verify=tls)
    try:
        wait_until(lambda: running.poll() is not None or is_open(port))
        with client:
            yield client
    finally:
        running.terminate()
        running.wait(10)


def configuration(folder: Path, url: str, port: int) -> str:
    """Return the page's block with this test's places, and what else nginx needs."""
    (block,) = re.findall(r"```nginx\n(.*?)```", OPERATING.read_text(), re.DOTALL)
    replaced = {
        "127.0.0.1:8000": url.removeprefix("http://"),
        "listen 443": f"listen 127.0.0.1:{port}",
        f"/etc/letsencrypt/live/{NAME}": str(folder),
    }
    for old, new in replaced.items():
        assert old in block
        block = block.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    return f"daemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{block}}}\n"


def make_certificate(folder: Path) -> Path:
    """Make a certificate of that name, which trusts itself, where the page's block looks for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (folder / "privkey.pem").write_bytes(secret)
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    return folder / "fullchain.pem"


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def get(client: httpx.Client, path: str, **headers: str) -> httpx.Response:
    return client.get(path, headers=headers, extensions={"sni_hostname": NAME})


def test_the_service_is_reached_by_its_public_name(proxied: httpx.Client) -> None:
    """Name, key and answers pass, and browsers are bound to TLS."""
    answer = get(proxied, "/plaid/accounts", Authorization=f"Bearer {API_KEY}")
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert get(proxied, "/healthz", Host="evil.example").status_code == 421


def test_webhooks_pass_as_they_come(proxied: httpx.Client) -> None:
    """What refuses this one is its signature: the header arrived."""
    posted = proxied.post(
        "/plaid/webhook",
        json={},
        headers={"Plaid-Verification": "x"},
        extensions={"sni_hostname": NAME},
    )
    assert posted.json()["error"]["code"] == "webhook_refused"


def test_a_caller_cannot_pose_as_another(proxied: httpx.Client) -> None:
    """What it claims of its address is overwritten, so it has no more guesses for it."""
    found = [
        get(
            proxied,
            "/plaid/accounts",
            Authorization="Bearer wrong-key-0123456789",
            **{"X-Forwarded-For": f"198.51.100.{number}"},
        ).status_code
        for number in range(GUESSES + 1)
    ]
    assert found == [401] * GUESSES + [429]
