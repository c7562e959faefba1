"""A turn of the exchanges: it is short, leaves with its worker, and one failure does not spread."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from bankloom.services import finish_exchanges, link_outcome, poll_sessions, tasks
from bankloom.services.exchange_token import Exchange
from bankloom.services.webhooks import link_deliveries
from harness import serving, wait_until
from link_scenes import TOKEN_GET_PATH, hosted_link, poll, session_of, through
from scenes import EXCHANGE_PATH, bank_account, exchange, never, newcomer, person, query

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

    from procrastinate import JobContext

    from bankloom.core.settings import Settings
    from bankloom.models import LinkSession
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running


@pytest.fixture
def service(settings: Settings) -> Iterator[tuple[Api, Runtime]]:
    """The service without a worker: what is asked of it happens, and nothing else."""
    with serving(settings, with_worker=False) as running_service:
        yield running_service


def cut_off(api: Api, bank: Running, user: str) -> None:
    """Leave an exchange whose answer was lost."""
    new = newcomer(api, bank, user, **person())
    bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
    assert exchange(api, new.public_token).status_code == 502


def told_of(api: Api, runtime: Runtime, bank: Running, user: str) -> str:
    """Leave a delivery that tells of a hosted session; return its public token."""
    opened = hosted_link(api, user)
    token = through(bank, opened)
    told = {"webhook_type": "LINK", "webhook_code": "ITEM_ADD_RESULT", "environment": "sandbox"}
    tokens = {"link_token": opened["link_token"], "public_token": token}
    count = len(query(runtime, "SELECT 1 FROM webhook_deliveries"))
    bank.control.send_webhook(told | tokens, url=f"{api.url}/plaid/webhook")
    wait_until(lambda: len(query(runtime, "SELECT 1 FROM webhook_deliveries")) > count)
    return token


def turn(runtime: Runtime, should_stop: Callable[[], bool]) -> None:
    """Do a turn as the worker does."""
    given = {"runtime": runtime, "should_stop": should_stop}
    tasks.on_exchanges(cast("JobContext", SimpleNamespace(additional_context=given)), 0)


def after(count: int) -> Callable[[], bool]:
    """Return a stop that is asked for once so much was begun."""
    asked = itertools.count()
    return lambda: next(asked) >= count


def states(runtime: Runtime) -> list[str]:
    """Return how the claims stand, the oldest first."""
    rows = query(runtime, "SELECT state FROM exchange_claims ORDER BY created_at")
    return [row.state for row in rows]


def test_it_leaves_with_the_worker(
    api: Api, runtime: Runtime, bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop is noticed before the next claim, the next delivery and the next round of polls."""
    monkeypatch.setattr(poll_sessions, "ASKED_AT_ONCE", 1)
    for user in ("ada", "grace"):
        cut_off(api, bank, user)
    bank.control.forget_calls()
    finish_exchanges.now(runtime, after(1))
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1
    for user in ("ada", "grace"):
        told_of(api, runtime, bank, user)
    bank.control.forget_calls()
    link_deliveries.now(runtime, after(1))
    assert len(query(runtime, "SELECT 1 FROM webhook_deliveries WHERE handled_at IS NULL")) == 1
    query(runtime, "UPDATE link_sessions SET finished_at = NULL, poll_at = now() WHERE hosted")
    bank.control.forget_calls()
    poll_sessions.now(runtime, after(1))
    assert len(bank.control.calls(TOKEN_GET_PATH)) == 1


@pytest.mark.parametrize("why", ["stopped", "out of time"])
def test_a_turn_that_is_over_begins_nothing(
    api: Api, runtime: Runtime, bank: Running, monkeypatch: pytest.MonkeyPatch, *, why: str
) -> None:
    """Neither once the worker leaves nor once its time is used up; the next turn does it all."""
    cut_off(api, bank, "ada")
    told_of(api, runtime, bank, "grace")
    query(runtime, "UPDATE link_sessions SET poll_at = now() WHERE hosted")
    bank.control.forget_calls()
    with monkeypatch.context() as patch:
        if why == "out of time":
            patch.setattr(tasks, "TURN_SECONDS", 0.0)
        turn(runtime, (lambda: True) if why == "stopped" else never)
    assert bank.control.calls() == []
    turn(runtime, never)
    assert states(runtime) == ["done", "done"]


def test_a_silent_plaid_is_not_asked_about_every_claim(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """The first call without an answer ends it, and the next time another claim is the first."""
    for user in ("ada", "grace"):
        cut_off(api, bank, user)
    bank.control.forget_calls()
    bank.control.fault(EXCHANGE_PATH, drop=True)
    finish_exchanges.now(runtime, never)
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1
    finish_exchanges.now(runtime, after(1))
    assert states(runtime) == ["claimed", "done"]


def test_a_late_word_of_a_finished_session_is_no_news(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Plaid may repeat it for a day: what polling has done is neither sent again nor called lost."""
    told_of(api, runtime, bank, "ada")
    poll(runtime)
    ago = "now() - interval '31 minutes'"
    query(runtime, f"UPDATE webhook_deliveries SET received_at = {ago}")  # noqa: S608 - ours
    bank.control.forget_calls()
    link_deliveries.now(runtime, never)
    assert outcomes(runtime) == [link_deliveries.EXCHANGED]
    query(runtime, "DELETE FROM exchange_claims")  # the tick forgets them after an hour
    query(runtime, f"UPDATE link_sessions SET finished_at = {ago}")  # noqa: S608 - ours
    for days in (0, 1):
        query(
            runtime,
            "UPDATE webhook_deliveries SET handled_at = NULL, next_try_at = now(),"
            " received_at = now() - make_interval(days => :days)",
            days=days,
        )
        link_deliveries.now(runtime, never)
        assert outcomes(runtime) == [link_deliveries.LATE]
    assert bank.control.calls() == []


def test_one_public_token_does_not_keep_its_siblings(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Of a session of several Items each is tried, and the one that failed is tried again."""
    opened = hosted_link(api)
    for mask in ("0001", "0002"):
        through(bank, opened, **person(bank_account(mask=mask)))
    bank.control.fault(EXCHANGE_PATH, drop=True)
    poll(runtime)
    assert sorted(states(runtime)) == ["claimed", "done"]
    assert session_of(api, opened)["state"] == "open"
    poll(runtime)
    assert states(runtime) == ["done", "done"]
    assert session_of(api, opened)["state"] == "finished"


def test_a_delivery_that_breaks_does_not_stop_the_others(
    api: Api, runtime: Runtime, bank: Running, log: io.StringIO
) -> None:
    """What nobody expected of it is logged, and it is put off."""
    for user in ("ada", "grace"):
        told_of(api, runtime, bank, user)
    (first, _) = query(runtime, "SELECT id, jwt_hash FROM webhook_deliveries ORDER BY received_at")
    query(
        runtime,
        "UPDATE webhook_deliveries SET body_sealed = :sealed WHERE id = :id",
        sealed=runtime.keyring.seal("no JSON", first.jwt_hash),
        id=first.id,
    )
    link_deliveries.now(runtime, never)
    broken, done = outcomes(runtime)
    assert (broken, done) == (
        "failed in an unexpected way (DecodeError)",
        link_deliveries.EXCHANGED,
    )
    waiting = "handled_at IS NULL AND next_try_at > now()"
    (row,) = query(runtime, f"SELECT id FROM webhook_deliveries WHERE {waiting}")  # noqa: S608 - ours
    assert row.id == first.id
    assert f"Delivery {first.id} is tried again" in log.getvalue()


def test_a_claim_that_breaks_does_not_stop_the_others(
    api: Api, runtime: Runtime, bank: Running, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """What nobody expected of it is logged, and it is put off, however often it breaks."""
    for user in ("ada", "grace"):
        cut_off(api, bank, user)
    claim = Exchange.claim

    def breaks(wanted: Exchange) -> int | None:
        if wanted.linker.user_name == "ada":
            raise RuntimeError
        return claim(wanted)

    monkeypatch.setattr(Exchange, "claim", breaks)
    finish_exchanges.now(runtime, never)
    assert states(runtime) == ["claimed", "done"]
    assert "RuntimeError" in log.getvalue()
    cut_off(api, bank, "edsger")
    finish_exchanges.now(runtime, never)
    assert states(runtime) == ["claimed", "done", "done"]


def test_a_session_that_breaks_does_not_stop_the_others(
    api: Api, runtime: Runtime, bank: Running, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """What nobody expected of it is logged, and the next round of polls comes all the same."""
    monkeypatch.setattr(poll_sessions, "ASKED_AT_ONCE", 1)
    for user in ("ada", "grace"):
        through(bank, hosted_link(api, user))
    settle, first = link_outcome.settle, []

    def breaks(runtime: Runtime, link: LinkSession) -> bool:
        first.append(link.id)
        if link.id == first[0]:
            raise RuntimeError
        return settle(runtime, link)

    monkeypatch.setattr(link_outcome, "settle", breaks)
    poll(runtime)
    assert states(runtime) == ["done"]
    assert "RuntimeError" in log.getvalue()


def outcomes(runtime: Runtime) -> list[str]:
    """Return what was done about the deliveries, the oldest first."""
    rows = query(runtime, "SELECT outcome FROM webhook_deliveries ORDER BY received_at")
    return [row.outcome for row in rows]
