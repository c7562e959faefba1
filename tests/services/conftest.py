"""Parts opened without the web side, and a stand-in for whatever may answer in Plaid's place."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bankloom.opening import open_runtime
from gateway import Gateway, answering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime


@pytest.fixture
def parts(settings: Settings) -> Iterator[Runtime]:
    """The opened parts alone: no web side, no worker, no job that runs by itself."""
    with closing(open_runtime(settings)) as runtime:
        yield runtime


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Something that is not Plaid, at a URL of its own."""
    with answering() as stand_in:
        yield stand_in
