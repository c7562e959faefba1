"""The settings of a command over a database of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import environment_for, settings_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def environment(embedded_database_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a service over this test's database, without a key of its own."""
    settings = settings_for("http://127.0.0.1:1", embedded_database_url, tmp_path / "data")
    environment = environment_for(settings)
    del environment["BANKLOOM_API_KEY"]
    return environment
