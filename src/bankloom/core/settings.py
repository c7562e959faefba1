"""Every setting, its environment variable and its default; read once, at start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bankloom.core import environment, http_names, secrets
from bankloom.core.environment import COMMON
from bankloom.core.errors import ConfigurationError
from bankloom.core.logs import LogFormat
from bankloom.core.secrets import Secrets

PLAID_HOSTS = {
    "sandbox": "https://sandbox.plaid.com",
    "production": "https://production.plaid.com",
}


def _default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "bankloom"


class PlaidSettings(BaseSettings):
    """How we speak to Plaid. Environment variables start with `PLAID_`."""

    model_config = SettingsConfigDict(env_prefix="PLAID_", **COMMON)

    client_id: str = Field("", description="Your Plaid client id, from the Dashboard.")
    secret: SecretStr = Field(SecretStr(""), description="The secret of that environment.")
    env: Literal["sandbox", "production"] = Field("sandbox", description="Which Plaid to speak to.")
    base_url: str = Field("", description="Another host for Plaid: the emulator, or a proxy.")
    client_name: str = Field(
        "Bankloom",
        min_length=1,
        max_length=30,
        description="The name that Link shows, 1 to 30 characters.",
    )
    country_codes: Annotated[list[str], NoDecode] = Field(
        ["US"], min_length=1, description="Countries whose banks are offered, comma separated."
    )
    language: str = Field("en", description="The language of Link.")
    redirect_uri: str | None = Field(
        None, description="Where OAuth banks send the person back; must be on Plaid's allow-list."
    )
    connect_timeout_seconds: float = Field(
        5, gt=0, description="How long to wait for a connection."
    )
    read_timeout_seconds: float = Field(
        120,
        gt=0,
        description="How long to wait for an answer; Plaid's slowest take up to two minutes.",
    )

    @field_validator("client_id", "secret", mode="before")
    @classmethod
    def _fits_a_header(cls, value: object) -> object:
        """Take off the line end that a file or a paste leaves; refuse what no header can carry."""
        if not isinstance(value, str):
            return value
        if not (value.isascii() and value.strip().isprintable()):
            raise ValueError("must be printable ASCII on one line, as the Dashboard shows it")
        return value.strip()

    @field_validator("country_codes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [code.strip().upper() for code in value.split(",") if code.strip()]

    def require_credentials(self) -> None:
        """Refuse to go on without Plaid's keys. Errors: `ConfigurationError`."""
        if not (self.client_id and self.secret.get_secret_value()):
            raise ConfigurationError(
                "PLAID_CLIENT_ID and PLAID_SECRET are not both set. Set them to the keys of your "
                "Plaid Dashboard (dashboard.plaid.com/developers/keys), or try everything without "
                "an account: bankloom demo."
            )

    @property
    def host(self) -> str:
        """The base URL of Plaid, without a trailing slash."""
        return (self.base_url or PLAID_HOSTS[self.env]).rstrip("/")


class Settings(BaseSettings):
    """How the service runs. Environment variables start with `BANKLOOM_`."""

    model_config = SettingsConfigDict(env_prefix="BANKLOOM_", **COMMON)

    _secrets: Secrets | None = PrivateAttr(None)
    plaid: PlaidSettings = Field(default_factory=PlaidSettings, exclude=True)
    database_url: SecretStr | None = Field(
        None, description="A PostgreSQL (15 or newer) of your own; unset: the embedded one."
    )
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Folder of the embedded database and of the keyring file.",
    )
    public_url: str | None = Field(
        None,
        description="How Plaid reaches this service; the webhook URL is this + /plaid/webhook.",
    )
    api_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="The service key, at least 16 characters; unset: made at the first start.",
    )
    encryption_keys: SecretStr | None = Field(
        None, description="The keyring; unset: the file keyring in the data folder."
    )
    sync_interval_seconds: int = Field(
        21_600, ge=60, description="How often transactions are synced without any other cause."
    )
    check_interval_seconds: int = Field(
        21_600,
        ge=60,
        description="How often an Item itself is looked at: its health and its cached balances.",
    )
    retention_days: int = Field(
        30,
        ge=1,
        description="How long ended runs, ended Link sessions and handled webhook deliveries are kept.",
    )
    on_revoked: Literal["keep", "delete"] = Field(
        "keep", description="What becomes of data whose sharing a person has ended at their bank."
    )
    revoked_grace_days: int = Field(
        7, ge=0, description="How long such data is kept before it is deleted, if it is."
    )
    rebuild_removal_share_max: float = Field(
        0.2,
        ge=0,
        le=1,
        description="The share of an Item's transactions that a rebuild may remove without asking.",
    )
    rate_limits: str | None = Field(
        None,
        description="A TOML file of rate limits over Plaid's published ones, or `off` for none at all.",
    )
    worker_concurrency: int = Field(4, ge=1, le=64, description="Items synced at the same time.")
    lease_seconds: int = Field(
        300, ge=10, description="How long a run may be silent before another may take its work."
    )
    worker_silent_seconds: float = Field(
        10, ge=3, description="How long a worker may be silent before its jobs go to another."
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="Further names that the service answers to, comma separated; "
        "`*.example.com` for all below it, `*` for any.",
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        [],
        description="Addresses or networks of the proxies whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed, comma separated.",
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        [],
        description="Origins whose pages may call the API with a key, comma separated; `*` for all.",
    )
    requests_per_minute: int = Field(
        1200,
        ge=0,
        description="How often one key may call one process in a minute; 0: as it likes.",
    )
    bad_keys_per_minute: int = Field(
        30,
        ge=0,
        description="How many wrong keys one address may show one process in a minute; 0: any number.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe level that is logged."
    )
    log_format: LogFormat = Field(
        "text", description="How a record is written: a line to read, or a JSON object a line."
    )

    @classmethod
    def read(cls) -> Self:
        """Read the environment and `.env`, and the secrets from wherever they are.

        Errors: `ConfigurationError`, naming each bad variable, or the source that failed.
        """
        found = secrets.read()
        plaid = environment.read(PlaidSettings, found.under("PLAID_"))
        settings = environment.read(cls, {**found.under("BANKLOOM_"), "plaid": plaid})
        settings._secrets = found  # noqa: SLF001 - its own
        return settings

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else None

    @field_validator("allowed_hosts", "trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            [each.strip() for each in value.split(",") if each.strip()]
            if isinstance(value, str)
            else value
        )

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: list[str]) -> list[str]:
        return [http_names.host(each) for each in value]

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        return [http_names.network(each) for each in value]

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: list[str]) -> list[str]:
        return [http_names.origin(each) for each in value]

    @property
    def webhook_url(self) -> str | None:
        """Where Plaid is to send webhooks, or None where no public URL is known."""
        return f"{self.public_url}/plaid/webhook" if self.public_url else None

    @property
    def secrets_found(self) -> Secrets | None:
        """What the sources of secrets had; None where these settings were not read from any."""
        return self._secrets

    def sources(self) -> dict[str, str]:
        """Return where each secret that is set came from, by variable; never its value."""
        return dict(self._secrets.origins) if self._secrets else {}

    @property
    def secret_texts(self) -> list[str]:
        """What no log may show though nothing in its shape tells that it is secret."""
        login = self._secrets and self._secrets.sources.vault_secret_id
        hidden = (self.plaid.secret, self.api_key, login)
        return [secret.get_secret_value() for secret in hidden if secret]
