"""Where secret settings come from: the first source that has one gives it, and is remembered.

In order: environment, `.env`, mounted files, secrets managers. All but the first two are chosen by
settings of their own, which come from the environment and `.env` only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
)

from bankloom.core import environment, secret_files, secret_managers
from bankloom.core.environment import COMMON, ENV_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Where systemd mounts what a unit's `LoadCredential=` names; it sets the variable by itself."""


class SecretSources(BaseSettings):
    """Which sources of secrets are asked. Environment variables start with `BANKLOOM_`."""

    model_config = SettingsConfigDict(env_prefix="BANKLOOM_", **COMMON)

    secrets_dir: Path | None = Field(
        None, description="A folder of mounted secrets: one file a secret, named as its variable."
    )
    aws_secret: str | None = Field(
        None, description="Name or ARN of a secret of AWS Secrets Manager."
    )
    google_project: str | None = Field(
        None, description="Id of the project whose Google Secret Manager is asked; untested."
    )
    azure_vault_url: str | None = Field(
        None, description="URL of the Azure Key Vault that is asked; untested."
    )
    vault_secret: str | None = Field(
        None,
        pattern=r"^[^/]+/.+$",
        description="Mount and path of a KV 2 secret of HashiCorp Vault or OpenBao: `secret/bankloom`.",
    )
    vault_role_id: str | None = Field(
        None, description="The AppRole to log in to Vault with; unset: `VAULT_TOKEN`."
    )
    vault_secret_id: SecretStr | None = Field(None, description="The secret id of that AppRole.")
    secrets_check_seconds: int = Field(
        300,
        ge=10,
        description="How often a running process asks its sources for a new PLAID_SECRET.",
    )


class Variables(BaseSettings):
    """The secret settings, by the names of their variables."""

    model_config = SettingsConfigDict(env_prefix="", **COMMON)

    PLAID_CLIENT_ID: str | None = None
    PLAID_SECRET: str | None = None
    BANKLOOM_API_KEY: str | None = None
    BANKLOOM_ENCRYPTION_KEYS: str | None = None
    BANKLOOM_DATABASE_URL: str | None = None


NAMES = tuple(Variables.model_fields)


@dataclass(frozen=True)
class Secrets:
    """What the sources had: values and origins, both by the names of the variables."""

    sources: SecretSources
    values: Mapping[str, SecretStr]
    origins: Mapping[str, str]
    file_marks: tuple[object, ...] = field(compare=False)
    """Those of before the reading: `file_marks` says later whether a file was changed since."""

    def under(self, prefix: str) -> dict[str, str]:
        """Return the values whose variables have this prefix, by the names of their fields."""
        return {
            name.removeprefix(prefix).lower(): value.get_secret_value()
            for name, value in self.values.items()
            if name.startswith(prefix)
        }


def read() -> Secrets:
    """Ask all sources that are chosen. Errors: `ConfigurationError`; nothing in it is secret."""
    sources = environment.read(SecretSources, {})
    marks = file_marks(sources)
    values: dict[str, SecretStr] = {}
    origins: dict[str, str] = {}
    for origin, told in _asked(sources):
        for name, value in told.items():
            if name in NAMES and name not in values and (text := str(value).strip()):
                values[name], origins[name] = SecretStr(text), origin
    return Secrets(sources, values, origins, marks)


def file_marks(sources: SecretSources) -> tuple[object, ...]:
    """Return something that is another whenever a file that secrets come from was changed."""
    return secret_files.marks([Path(ENV_FILE), *_folders(sources).values()], NAMES)


def _asked(sources: SecretSources) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give what each source has, the first first."""
    yield "environment", EnvSettingsSource(Variables)()
    yield ENV_FILE, DotEnvSettingsSource(Variables)()
    for origin, folder in _folders(sources).items():
        yield origin, secret_files.read(folder, Variables)
    if sources.aws_secret:
        yield secret_managers.AWS, secret_managers.ask_aws(Variables, sources.aws_secret)
    if sources.google_project:
        yield secret_managers.GOOGLE, secret_managers.ask_google(Variables, sources.google_project)
    if sources.azure_vault_url:
        yield secret_managers.AZURE, secret_managers.ask_azure(Variables, sources.azure_vault_url)
    if sources.vault_secret:
        role = (sources.vault_role_id, sources.vault_secret_id)
        yield secret_managers.VAULT, secret_managers.ask_vault(sources.vault_secret, *role)


def _folders(sources: SecretSources) -> dict[str, Path]:
    """Return the folders of secret files, by what they are called as an origin."""
    folders = {}
    if sources.secrets_dir:
        folders[f"file in {sources.secrets_dir}"] = sources.secrets_dir
    if credentials := os.environ.get(CREDENTIALS_VARIABLE):
        folders["systemd credential"] = Path(credentials)
    return folders


def without_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without our settings, for a program that needs none of our secrets."""
    ours = ("PLAID_", "BANKLOOM_", "PLATYPUS_", CREDENTIALS_VARIABLE)
    return {name: value for name, value in variables.items() if not name.startswith(ours)}
