"""Secrets managers: the vendors' own clients against real servers, and one sentence where they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from bankloom.core import secret_managers, secrets
from bankloom.core.errors import ConfigurationError
from bankloom.core.settings import Settings
from secret_places import ROOT_TOKEN, aws_server, openbao

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from secret_places import Bao

REGION = "eu-central-1"
GIVEN = {"PLAID_CLIENT_ID": "me", "plaid_secret": "s3cr3t-of-a-manager\n", "SOMETHING": "else"}
CLIENTS = ("boto3", "botocore", "hvac", "google.cloud.secretmanager", "azure.identity")


@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    with aws_server() as url:
        yield url


@pytest.fixture(scope="module")
def bao() -> Iterator[Bao]:
    with openbao() as running:
        yield running


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings and no logins of the developer's own."""
    own = ("PLAID_", "BANKLOOM_", "AWS_", "VAULT_", "GOOGLE_", "AZURE_", "CREDENTIALS_")
    for name in os.environ:
        if name.startswith(own):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, aws_url: str) -> Any:
    """A login to AWS, as a machine has one; its client."""
    login = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": REGION}
    for name, value in {**login, "AWS_ENDPOINT_URL": aws_url}.items():
        monkeypatch.setenv(name, value)
    httpx.post(f"{aws_url}/moto-api/reset").raise_for_status()
    return boto3.client("secretsmanager", region_name=REGION)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, bao: Bao) -> Bao:
    """An OpenBao that the environment names, without a login."""
    monkeypatch.setenv("VAULT_ADDR", bao.url)
    monkeypatch.setenv("BANKLOOM_VAULT_SECRET", "secret/team/bankloom")
    bao.put("team/bankloom", GIVEN)
    bao.allow("reader", "team/bankloom")
    return bao


def refusal() -> str:
    with pytest.raises(ConfigurationError) as caught:
        Settings.read()
    text = str(caught.value)
    assert "s3cr3t" not in text
    assert "\n" not in text
    return text


def read_from(origin: str) -> None:
    settings = Settings.read()
    assert settings.plaid.client_id == "me"
    assert settings.plaid.secret.get_secret_value() == "s3cr3t-of-a-manager"
    assert settings.sources() == {"PLAID_CLIENT_ID": origin, "PLAID_SECRET": origin}


def test_aws_secrets_manager(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One secret, by its name or its ARN, is a JSON object of variables; each new version is read."""
    made = aws.create_secret(Name="prod/bankloom", SecretString=json.dumps(GIVEN))
    for name in ("prod/bankloom", made["ARN"]):
        monkeypatch.setenv("BANKLOOM_AWS_SECRET", name)
        read_from(secret_managers.AWS)
    monkeypatch.delenv("AWS_REGION")
    read_from(secret_managers.AWS)  # which the ARN names as well
    aws.put_secret_value(SecretId="prod/bankloom", SecretString='{"PLAID_SECRET": "new"}')
    assert Settings.read().plaid.secret.get_secret_value() == "new"


def test_the_environment_goes_before_a_manager(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager gives what nothing before it has."""
    aws.create_secret(Name="x", SecretString=json.dumps(GIVEN))
    monkeypatch.setenv("BANKLOOM_AWS_SECRET", "x")
    monkeypatch.setenv("PLAID_SECRET", "nearer")
    settings = Settings.read()
    assert settings.plaid.secret.get_secret_value() == "nearer"
    assert settings.sources() == {
        "PLAID_CLIENT_ID": secret_managers.AWS,
        "PLAID_SECRET": "environment",
    }


@pytest.mark.parametrize("text", ["s3cr3t", '"s3cr3t"', '["s3cr3t"]', '{"PLAID_SECRET": "s3cr3t'])
def test_aws_with_a_secret_of_another_form(
    aws: Any, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """What is no JSON object is refused, and not quoted."""
    aws.create_secret(Name="x", SecretString=text)
    monkeypatch.setenv("BANKLOOM_AWS_SECRET", "x")
    assert "AWS Secrets Manager gave no secrets: what it holds is not of the" in refusal()


def test_aws_that_refuses(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown secret, a login without the right, no server, no region: each says what to check."""
    monkeypatch.setenv("BANKLOOM_AWS_SECRET", "not/there")
    assert "ResourceNotFoundException" in refusal()
    aws.create_secret(Name="not/there", SecretString=json.dumps(GIVEN))
    httpx.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", content="0")
    try:
        assert "InvalidClientTokenId" in refusal()
    finally:
        httpx.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", content="inf")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "Could not connect to the endpoint" in refusal()
    monkeypatch.delenv("AWS_REGION")
    assert "You must specify a region" in refusal()


def test_openbao_with_a_token(vault: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of one KV 2 secret are variables; VAULT_TOKEN need be able to read it and nothing else."""
    monkeypatch.setenv("VAULT_TOKEN", vault.token("reader"))
    read_from(secret_managers.VAULT)
    vault.put("team/bankloom", {"PLAID_SECRET": "new"})
    assert Settings.read().plaid.secret.get_secret_value() == "new"


def test_openbao_with_an_approle(vault: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role id and a secret id log in anew at each reading; the secret id is for no log."""
    role_id, secret_id = vault.app_role("bankloom", "reader")
    monkeypatch.setenv("BANKLOOM_VAULT_ROLE_ID", role_id)
    monkeypatch.setenv("BANKLOOM_VAULT_SECRET_ID", secret_id)
    read_from(secret_managers.VAULT)
    assert secret_id in Settings.read().secret_texts
    monkeypatch.setenv("BANKLOOM_VAULT_SECRET_ID", "s3cr3t-that-is-wrong")
    assert "invalid role or secret ID" in refusal()


def test_openbao_with_the_token_of_an_agent(vault: Bao, tmp_path: Path) -> None:
    """Without VAULT_TOKEN the file that an agent keeps fresh is read, each time."""
    (tmp_path / ".vault-token").write_text(vault.token("reader"))
    read_from(secret_managers.VAULT)


def test_openbao_that_refuses(vault: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """No login, no right, no such secret, no server, no such form of a name."""
    assert "Forbidden: permission denied" in refusal()
    vault.allow("stranger", "another/secret")
    monkeypatch.setenv("VAULT_TOKEN", vault.token("stranger"))
    assert "permission denied" in refusal()
    monkeypatch.setenv("VAULT_TOKEN", ROOT_TOKEN)
    monkeypatch.setenv("BANKLOOM_VAULT_SECRET", "secret/not/there")
    assert "InvalidPath: " in refusal()
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    assert "Connection refused" in refusal()
    monkeypatch.setenv("BANKLOOM_VAULT_SECRET", "no-mount")
    assert refusal().startswith("BANKLOOM_VAULT_SECRET: ")


@pytest.mark.parametrize(
    ("module", "variable", "value", "extra"),
    [
        ("boto3", "BANKLOOM_AWS_SECRET", "x", "aws"),
        ("google.cloud.secretmanager", "BANKLOOM_GOOGLE_PROJECT", "x", "google"),
        ("azure.identity", "BANKLOOM_AZURE_VAULT_URL", "https://x.vault.azure.net", "azure"),
        ("hvac", "BANKLOOM_VAULT_SECRET", "secret/x", "vault"),
    ],
)
def test_a_client_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, module: str, variable: str, value: str, extra: str
) -> None:
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv(variable, value)
    assert refusal().endswith(f"pip install 'bankloom[{extra}]'.")


ALL_OF_IT = f"""
import os, sys
from bankloom.cli import app
from bankloom.core import logs
from bankloom.core.settings import Settings
chosen = os.environ.pop("BANKLOOM_AWS_SECRET")
Settings.read()
print([name for name in {CLIENTS} if name in sys.modules])
os.environ["BANKLOOM_AWS_SECRET"] = chosen
logs.configure("debug")
print(Settings.read().sources()["PLAID_SECRET"])
"""


def test_a_client_costs_and_tells_nothing(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is imported where none is chosen; at the chattiest level none logs what it was answered."""
    other = json.dumps(GIVEN | {"SOMETHING": "nobody-knows-this-to-be-secret"})
    aws.create_secret(Name="x", SecretString=other)
    monkeypatch.setenv("BANKLOOM_AWS_SECRET", "x")
    ended = subprocess.run(
        [sys.executable, "-c", ALL_OF_IT], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines() == ["[]", secret_managers.AWS]
    assert "nobody-knows" not in ended.stderr
    assert "s3cr3t" not in ended.stderr


def test_what_no_test_asks_says_so() -> None:
    """Doctor and documents label a manager that nothing here ran against."""
    labels = {secret_managers.GOOGLE, secret_managers.AZURE}
    assert all(label.endswith("(untested)") for label in labels)
    fields = secrets.SecretSources.model_fields
    for name in ("google_project", "azure_vault_url"):
        assert (fields[name].description or "").endswith("untested.")
