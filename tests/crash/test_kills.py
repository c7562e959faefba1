"""Kill -9, again and again, at any moment: nothing is lost, nothing doubled, and all comes to rest."""

from __future__ import annotations

import random
import socket
import sys
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bankloom.opening import open_runtime
from crash import judge
from crash.people import people
from crash.victims import START_SECONDS_MAX, town
from crash.weather import Weather
from harness import settings_for, wait_until
from scenes import EXCHANGE_PATH, SYNC_PATH

if TYPE_CHECKING:
    from pathlib import Path

    from bankloom.core.settings import Settings
    from crash.people import People
    from crash.victims import Town
    from platypus_bank.testing import Running

KILLS_BETWEEN_COMPARISONS = 10
CALLS_BETWEEN_KILLS_MAX = 8
PAUSE_SECONDS_MAX = 0.3
HASTE = 0.25  # the share of kills that do not wait for the service to be up
ANSWER_SECONDS = 0.1  # how long Plaid thinks: a kill is to find runs in their middle
LIMITS = """
[sandbox]
"/transactions/sync" = { item = 6000, client = 60000 }
"/accounts/get" = { item = 6000, client = 60000 }
"""
"""So many calls a minute that nobody waits, but each is spent from the budget's rows."""


@pytest.fixture
def port() -> int:
    """A port below those that any program may be given for a connection of its own."""
    for candidate in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", candidate)):
                return candidate
    raise AssertionError("no port is free")


@pytest.fixture
def settings(bank: Running, reachable_dir: Path, port: int) -> Settings:
    """The embedded database as in production, the shortest schedules, webhooks to this port."""
    limits = reachable_dir / "limits.toml"
    limits.write_text(LIMITS)
    return settings_for(
        bank.url,
        "",
        reachable_dir / "data",
        public_url=f"http://127.0.0.1:{port}",
        rate_limits=str(limits),
        sync_interval_seconds=60,
        check_interval_seconds=60,
        worker_silent_seconds=3,
        lease_seconds=10,
    )


@pytest.fixture
def slow_bank(bank: Running) -> Running:
    """A bank that takes its time, and whose tokens and logins outlive the leaps of its clock."""
    bank.control.settings(public_token_seconds=10**7, login_days=None)
    for path in (SYNC_PATH, EXCHANGE_PATH):
        bank.control.fault(path, times=0, delay_seconds=ANSWER_SECONDS)
    return bank


@pytest.mark.timeout(0)  # each of its waits has a bound, and there are as many as there are kills
def test_whatever_dies_the_tables_equal_the_ledger(  # noqa: PLR0917 - fixtures
    slow_bank: Running, settings: Settings, port: int, tmp_path: Path, kills: int, seed: int
) -> None:
    """After each ten kills of service, workers and database: equal to the bank, and at rest.

    A program may give up where its database dies while it starts; none dies of a fault of its own.
    """
    say(f"{kills} kills, --seed {seed}, logs in {tmp_path}")
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
    began, killed, comparisons = time.monotonic(), Counter[str](), 0
    with (
        town(settings, port, tmp_path) as place,
        people(place.api, slow_bank) as callers,
        Weather(slow_bank, callers, random.Random(seed)) as weather,  # noqa: S311 - as above
    ):
        while (left := kills - killed.total()) > 0:
            weather.resume()
            for _ in range(min(left, KILLS_BETWEEN_COMPARISONS)):
                killed[kill_someone(place, slow_bank, rng)] += 1
            paused = time.monotonic()
            weather.pause()
            told = compare(place, slow_bank, settings, callers)
            comparisons += 1
            now = time.monotonic()
            say(
                f"{now - began:4.0f} s: killed {dict(killed)}; at rest in {now - paused:.0f} s; {told}"
            )
        exits = {each.name: each.exits for each in place.programs if each.exits}
    say(f"{comparisons} comparisons; the weather: {dict(weather.changes)}")
    say(f"people heard {dict(callers.heard)}; ended by themselves: {exits}")
    assert not [code for codes in exits.values() for code in codes if code < 0], exits


def kill_someone(place: Town, bank: Running, rng: random.Random) -> str:
    """Kill something that lives while work is being done; return its name.

    Once in a while that is so soon after the last kill that not everything is up again.
    """
    if rng.random() > HASTE:
        wait_until(place.is_up, START_SECONDS_MAX)
    bank.control.forget_calls()
    calls = rng.randint(1, CALLS_BETWEEN_KILLS_MAX)
    wait_until(lambda: len(bank.control.calls(SYNC_PATH)) >= calls, START_SECONDS_MAX)
    time.sleep(rng.uniform(0, PAUSE_SECONDS_MAX))  # a random moment is what this is about

    def kill() -> str:
        victim = rng.choice(place.victims)
        return victim.name if victim.kill() else ""

    name: str = wait_until(kill, START_SECONDS_MAX)
    return name


def compare(place: Town, bank: Running, settings: Settings, callers: People) -> str:
    """Wait for rest, compare, and tell what was there."""
    wait_until(place.is_up, START_SECONDS_MAX)
    with closing(open_runtime(settings)) as runtime:
        judge.rest(place, runtime, bank)
        callers.come_back()
        rows = judge.compare(place, runtime, bank, callers.linked)
        counts = judge.toll(runtime)
    told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    return f"{rows} transactions of {len(callers.linked)} answered Items equal; {told}"


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
