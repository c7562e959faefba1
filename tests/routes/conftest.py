"""A service that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api


@pytest.fixture
def still(settings: Settings) -> Iterator[tuple[Api, Runtime]]:
    """A service without a worker: what a test writes into the tables stays as it is."""
    with serving(settings, with_worker=False) as running_service:
        yield running_service
