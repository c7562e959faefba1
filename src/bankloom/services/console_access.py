"""Signs a browser in and out of the console, and tells for whom a session acts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core import clock
from bankloom.models import ApiKey, ConsoleSession, SignInCode
from bankloom.services import audit
from bankloom.services.api_access import Caller, authenticate, caller_with

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

CODE_MINUTES = 15
"""As long as it takes to walk to another machine with it; `bankloom signin` prints another."""

SESSION_HOURS = 12
OPERATOR = Caller(name="console")


class SignedIn(NamedTuple):
    """A new session: its id is for the browser's cookie and nobody else."""

    session_id: str
    caller: Caller
    expires_at: datetime


def new_code(runtime: Runtime) -> str:
    """Make a code that signs the operator in, once, within a quarter of an hour."""
    with runtime.database.session() as session:
        audit.note(runtime, session, audit.Action.SIGN_IN_CODE_MADE)
        return SignInCode.create(session, clock.now() + timedelta(minutes=CODE_MINUTES))


def sign_in(runtime: Runtime, given: str) -> SignedIn:
    """Begin a session with a one-time code or an API key. Errors: `UnauthorizedError`."""
    at = clock.now()
    ends = at + timedelta(hours=SESSION_HOURS)
    with runtime.database.session() as session:
        if SignInCode.spend(session, given, at):
            _note(runtime, session, OPERATOR, audit.Action.SIGNED_IN)
            return SignedIn(ConsoleSession.create(session, ends), OPERATOR, ends)
    caller = authenticate(runtime, given)
    ends = min(ends, caller.expires_at or ends)
    settings_key_hash = None if caller.key_id else _settings_key_hash(runtime)
    with runtime.database.session() as session:
        session_id = ConsoleSession.create(
            session, ends, key_id=caller.key_id, settings_key_hash=settings_key_hash
        )
        _note(runtime, session, caller, audit.Action.SIGNED_IN)
    return SignedIn(session_id, caller, ends)


def caller_of(runtime: Runtime, session_id: str) -> Caller | None:
    """Return for whom a session acts; None where it is over, or the key behind it opens nothing."""
    at = clock.now()
    with runtime.database.session() as session:
        found = ConsoleSession.find(session, session_id, at)
        if found is None:
            return None
        if found.key_id:
            key = session.get_one(ApiKey, found.key_id)
            return caller_with(key) if key.is_alive(at) else None
        if found.settings_key_hash is None:
            return OPERATOR
        return Caller() if found.settings_key_hash == _settings_key_hash(runtime) else None


def sign_out(runtime: Runtime, session_id: str) -> None:
    """End a session."""
    caller = caller_of(runtime, session_id)
    with runtime.database.session() as session:
        ConsoleSession.end(session, session_id)
        if caller:
            _note(runtime, session, caller, audit.Action.SIGNED_OUT)


def end_all(runtime: Runtime) -> int:
    """End every session and every unused code, as after a theft; return how many sessions."""
    with runtime.database.session() as session:
        audit.note(runtime, session, audit.Action.SESSIONS_ENDED)
        SignInCode.end_all(session)
        return ConsoleSession.end_all(session)


def forget_old(session: Session, at: datetime) -> None:
    """Delete the codes and sessions that are over."""
    SignInCode.forget_old(session, at)
    ConsoleSession.forget_old(session, at)


def _note(runtime: Runtime, session: Session, caller: Caller, action: audit.Action) -> None:
    audit.note(runtime.acting_for(caller.name), session, action, user_id=caller.user_id)


def _settings_key_hash(runtime: Runtime) -> str | None:
    key = runtime.settings.api_key
    return runtime.keyring.hash(key.get_secret_value()) if key else None
