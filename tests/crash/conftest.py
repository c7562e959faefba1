"""How long the crash test goes on, and which way."""

from __future__ import annotations

import random

import pytest

KILLS = 12  # what every run of all tests can afford; `make crash` asks for 200


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make crash`; known where tests/crash is named on the command line."""
    parser.addoption("--kills", type=int, default=KILLS, help="how many processes to kill")
    parser.addoption("--seed", type=int, default=None, help="what the weather is made from")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many processes to kill."""
    wanted: int = request.config.getoption("--kills", KILLS)
    return wanted


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What the weather and the choice of victims are made from."""
    given: int | None = request.config.getoption("--seed", None)
    return random.SystemRandom().randrange(10**6) if given is None else given
