"""Secrets managers: each is asked through its vendor's client, which comes with an extra of ours.

The clients are imported where a manager is chosen, and nowhere else: they cost a second.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic_settings import (
    AWSSecretsManagerSettingsSource,
    AzureKeyVaultSettingsSource,
    GoogleSecretManagerSettingsSource,
    SettingsError,
)

from bankloom.core.errors import ConfigurationError
from bankloom.core.logs import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr
    from pydantic_settings import BaseSettings

AWS = "AWS Secrets Manager"
GOOGLE = "Google Secret Manager (untested)"
AZURE = "Azure Key Vault (untested)"
VAULT = "HashiCorp Vault or OpenBao"

CONNECT_SECONDS_MAX = 5
ANSWER_SECONDS_MAX = 10
TRIES_MAX = 2
SAID_CHARS_MAX = 300


def ask_aws(variables: type[BaseSettings], secret: str) -> dict[str, Any]:
    """Return what a secret holds: a JSON object of variables. Errors: `ConfigurationError`."""
    with _asking(AWS, "aws", f"the secret {secret}, AWS_REGION and secretsmanager:GetSecretValue"):
        _bound_aws()
        region = secret.split(":")[3] if secret.startswith("arn:") else os.environ.get("AWS_REGION")
        return AWSSecretsManagerSettingsSource(variables, secret, region, case_sensitive=False)()


def ask_google(variables: type[BaseSettings], project: str) -> dict[str, Any]:
    """Return a project's secrets of the variables' names. Errors: `ConfigurationError`."""
    with _asking(GOOGLE, "google", f"the project {project} and roles/secretmanager.secretAccessor"):
        # By their exact names, which takes no right to list all secrets of the project.
        source = GoogleSecretManagerSettingsSource(
            variables, project_id=project, case_sensitive=True
        )
        told = source()
        for name in variables.model_fields:
            # The source gives None, and no error, for one that is there and may not be read.
            if source.env_vars.get(name, "") is None:
                raise PermissionError(f"{name} can't be read")
        return told


def ask_azure(variables: type[BaseSettings], url: str) -> dict[str, Any]:
    """Return a key vault's secrets, PLAID-SECRET for PLAID_SECRET. Errors: `ConfigurationError`."""
    with _asking(AZURE, "azure", f"{url} and the role Key Vault Secrets User"):
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - of the extra

        credential = DefaultAzureCredential()
        return AzureKeyVaultSettingsSource(variables, url, credential, dash_to_underscore=True)()


def ask_vault(
    secret: str, role_id: str | None = None, secret_id: SecretStr | None = None
) -> dict[str, Any]:
    """Return what a KV 2 secret holds, by variable in capitals. Errors: `ConfigurationError`.

    pydantic-settings has no source for it, so this is hvac's own call and nothing more.
    """
    mount, _, path = secret.partition("/")
    mend = f"VAULT_ADDR, the login, and its right to read {mount}/data/{path}"
    with _asking(VAULT, "vault", mend):
        import hvac  # noqa: PLC0415 - of the extra

        client = hvac.Client(
            timeout=ANSWER_SECONDS_MAX, namespace=os.environ.get("VAULT_NAMESPACE")
        )
        if role_id:
            client.auth.approle.login(role_id, secret_id and secret_id.get_secret_value())
        told = client.secrets.kv.v2.read_secret_version(
            path, mount_point=mount, raise_on_deleted_version=True
        )
        return {name.upper(): value for name, value in told["data"]["data"].items()}


@contextmanager
def _asking(manager: str, extra: str, mend: str) -> Iterator[None]:
    """Say in one sentence what went wrong, whatever the vendor's client raises."""
    try:
        yield
    except ImportError:
        raise ConfigurationError(
            f"{manager} is chosen, but its client is not installed. Install it: "
            f"pip install 'bankloom[{extra}]'."
        ) from None
    except Exception as error:  # noqa: BLE001 - each vendor has errors of its own
        raise ConfigurationError(
            f"{manager} gave no secrets: {_said(error)}. Check {mend}."
        ) from None


def _said(error: Exception) -> str:
    """Return what an error says, unless it came from reading a value, which it might quote."""
    cause = error.__cause__ if isinstance(error, SettingsError) else error
    if isinstance(cause, ValueError | LookupError | TypeError | AttributeError | None):
        return f"what it holds is not of the documented form ({type(cause or error).__name__})"
    line = redact(" ".join(str(cause).split()))
    return f"{type(cause).__name__}: {line[:SAID_CHARS_MAX].rstrip('. ')}"


def _bound_aws() -> None:
    """Let no call to AWS take minutes; its client's own bounds would."""
    import boto3  # noqa: PLC0415 - of the extra
    import botocore.config  # noqa: PLC0415 - as above
    import botocore.session  # noqa: PLC0415 - as above

    session = botocore.session.get_session()
    session.set_default_client_config(
        botocore.config.Config(
            connect_timeout=CONNECT_SECONDS_MAX,
            read_timeout=ANSWER_SECONDS_MAX,
            retries={"mode": "standard", "total_max_attempts": TRIES_MAX},
        )
    )
    boto3.setup_default_session(botocore_session=session)
