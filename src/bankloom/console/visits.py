"""A browser's visit: a signed cookie, the CSRF token that belongs to it, and the session if signed in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from itsdangerous import BadSignature, Signer

from bankloom.core.access_errors import FormOutdatedError, SignInNeededError
from bankloom.routes import shapes  # noqa: TC001 - FastAPI reads it
from bankloom.routes.access import Call, RuntimeDep
from bankloom.services import console_access

if TYPE_CHECKING:
    from fastapi import Response


COOKIE = "bankloom"
SECURE_COOKIE = "__Host-bankloom"
"""Over TLS: a browser takes it from this very host only, and sends it over TLS only."""

_SESSION, _STRANGER = "session.", "stranger."


@dataclass(frozen=True)
class Visit:
    """Who visits: `name` is what the cookie holds, a session's id or a stranger's random name."""

    signer: Signer
    name: str
    is_secure: bool

    @property
    def session_id(self) -> str | None:
        """The session's id, if it was one when the cookie was written."""
        return self.name.removeprefix(_SESSION) if self.name.startswith(_SESSION) else None

    @property
    def csrf_token(self) -> str:
        """What a form must send back; another visit has another."""
        return self.signer.get_signature("form." + self.name).decode()

    def signed_in(self, session_id: str) -> Visit:
        """Return the visit after signing in: a new name, so that no old cookie is worth anything."""
        return Visit(self.signer, _SESSION + session_id, self.is_secure)

    def signed_out(self) -> Visit:
        """Return the visit of a stranger."""
        return Visit(self.signer, _STRANGER + secrets.token_urlsafe(), self.is_secure)

    def keep(self, answer: Response) -> None:
        """Have the browser send the cookie with its next requests; it ends with the browser."""
        answer.set_cookie(
            SECURE_COOKIE if self.is_secure else COOKIE,
            self.signer.sign(self.name).decode(),
            httponly=True,
            samesite="lax",  # a bank's page leads back here, and must find the person signed in
            secure=self.is_secure,
        )


def visit_of(request: Request, runtime: RuntimeDep) -> Visit:
    """Return the visit that the cookie tells of; a stranger's where there is none that we signed."""
    key = runtime.keyring.derive("console visits")
    signer = Signer(key, digest_method=hashlib.sha256, sep="~")
    is_secure = request.url.scheme == "https"
    cookie = request.cookies.get(SECURE_COOKIE if is_secure else COOKIE, "")
    try:
        return Visit(signer, signer.unsign(cookie).decode(), is_secure)
    except BadSignature:
        return Visit(signer, "", is_secure).signed_out()


VisitDep = Annotated[Visit, Depends(visit_of)]


def checked_form(visit: VisitDep, csrf_token: shapes.FormText = "") -> None:
    """Refuse a form that another website had the browser send. Errors: `FormOutdatedError`."""
    if not hmac.compare_digest(csrf_token.encode(), visit.csrf_token.encode()):
        raise FormOutdatedError


def page_call(visit: VisitDep, runtime: RuntimeDep) -> Call:
    """Let a signed-in browser in, as the key that it signed in with. Errors: `SignInNeededError`."""
    session_id = visit.session_id
    caller = console_access.caller_of(runtime, session_id) if session_id else None
    if caller is None:
        raise SignInNeededError
    return Call.of(runtime, caller)


PageCall = Annotated[Call, Depends(page_call)]
