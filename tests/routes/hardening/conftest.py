"""One service for a file of tests: it has no worker and no bank, and what it is asked costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import serving, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Api


@pytest.fixture(scope="module")
def more_settings() -> dict[str, Any]:
    """What a file sets beyond the settings of every test."""
    return {}


@pytest.fixture(scope="module")
def walled(
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    more_settings: dict[str, Any],
) -> Iterator[Api]:
    """The service of this file's settings."""
    folder = tmp_path_factory.mktemp("data")
    settings = settings_for("http://127.0.0.1:1", module_database_url, folder, **more_settings)
    with serving(settings, with_worker=False) as (api, _):
        yield api
