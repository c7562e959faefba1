"""Reads a class of settings from the environment and `.env`; what is wrong is named, never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_FILE = ".env"
COMMON = SettingsConfigDict(
    env_file=ENV_FILE,
    env_ignore_empty=True,  # `NAME=` in a compose file means that nothing was set
    extra="ignore",
    hide_input_in_errors=True,  # the input may be a secret
)

Kind = TypeVar("Kind", bound=BaseSettings)


def read(kind: type[Kind], given: Mapping[str, Any]) -> Kind:
    """Read the settings; what is given by its field's name goes before the environment.

    Errors: `ConfigurationError`, naming each bad variable.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        raise ConfigurationError(_complaint(kind, error)) from None


def _complaint(kind: type[BaseSettings], error: ValidationError) -> str:
    """Say which variables are wrong and why, without their values."""
    prefix = kind.model_config["env_prefix"]
    wrong = error.errors(include_url=False, include_input=False, include_context=False)
    return " ".join(f"{prefix}{str(each['loc'][0]).upper()}: {each['msg']}." for each in wrong)
