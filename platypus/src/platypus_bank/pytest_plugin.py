"""A pytest plugin: the fixture `platypus` gives every test a bank of its own.

All tests of a process share one server, which starts when the first of them asks for it. So that all
processes of a run share one, start it yourself and name it: `pytest --platypus-url URL`, or PLATYPUS_URL.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from platypus_bank.testing import Control, running

URL_VARIABLE = "PLATYPUS_URL"


class Platypus(NamedTuple):
    """A bank of one's own: give `url`, `client_id` and `secret` to a Plaid client.

    `control` moves its clock, plants faults, and tells the truth that a correct client must hold.
    """

    url: str
    client_id: str
    secret: str
    control: Control


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the option that names a server."""
    sentence = f"use the Platypus at this URL instead of starting one (also ${URL_VARIABLE})"
    parser.getgroup("platypus").addoption("--platypus-url", help=sentence)


@pytest.fixture(scope="session")
def platypus_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Tell where the server is: the named one, or one for the length of the session."""
    named = request.config.getoption("--platypus-url") or os.environ.get(URL_VARIABLE)
    if named:
        yield str(named).rstrip("/")
        return
    with running() as bank:
        yield bank.url


@pytest.fixture
def platypus(request: pytest.FixtureRequest, platypus_url: str) -> Iterator[Platypus]:
    """Give a new bank, with the same ids whenever this test runs; it ends with the test."""
    client_id = request.node.nodeid.encode("ascii", "backslashreplace").decode()
    control = Control(platypus_url, client_id)
    control.reset(seed=1)
    yield Platypus(platypus_url, client_id, "any secret will do", control)
    control.end_world(client_id)
