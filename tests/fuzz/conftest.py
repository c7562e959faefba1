"""How many cases, and which."""

from __future__ import annotations

import random

import pytest

CASES = 300  # what every run of all tests can afford; `make fuzz` asks for 20,000
USUAL_SEED = 20_261_125  # a run of all tests fails for what was changed, and not for its luck


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make fuzz`; known where tests/fuzz is named on the command line."""
    parser.addoption("--cases", type=int, default=CASES, help="how many requests to make up")
    parser.addoption("--case-seed", type=int, default=None, help="what they are made from")


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> int:
    """How many requests to make up."""
    wanted: int = request.config.getoption("--cases", CASES)
    return wanted


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What the requests are made from: another each time, where many are asked for."""
    given: int | None = request.config.getoption("--case-seed", None)
    if given is None and request.config.getoption("--cases", CASES) == CASES:
        return USUAL_SEED
    return random.SystemRandom().randrange(10**6) if given is None else given
