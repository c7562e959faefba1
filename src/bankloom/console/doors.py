"""Signing in and out, and the page that one comes to."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from bankloom.console.pages import page
from bankloom.console.visits import PageCall, VisitDep, checked_form, visit_of
from bankloom.core.access_errors import FormOutdatedError, SignInNeededError, UnauthorizedError
from bankloom.core.http_errors import TooManyRequestsError
from bankloom.routes import shapes  # noqa: TC001 - FastAPI reads it
from bankloom.routes.access import RuntimeDep, runtime_of
from bankloom.routes.hardening.rates import admitted
from bankloom.services import console_access

HOME = "/console"
SIGN_IN = "/console/signin"
SEE_OTHER = 303
NO_SUCH_KEY = "That is no code of the last 15 minutes that is still unused, and no living API key."

router = APIRouter(include_in_schema=False)
_form = [Depends(checked_form)]


def install(app: FastAPI) -> None:
    """Add the console to the app."""
    app.include_router(router)
    app.mount("/console/static", StaticFiles(directory=str(files("bankloom.console") / "static")))
    app.add_exception_handler(SignInNeededError, _to_sign_in)
    app.add_exception_handler(FormOutdatedError, _outdated)


@router.get("/")
def root() -> RedirectResponse:
    """Lead whoever typed only the address to the console."""
    return RedirectResponse(HOME, SEE_OTHER)


@router.get(HOME)
def home(visit: VisitDep, call: PageCall) -> HTMLResponse:
    """Show who is signed in."""
    with call.runtime.database.session() as session:
        person = call.caller.person(session, None)
    return page(visit, "home.html", caller=call.caller, person=person)


@router.get(SIGN_IN)
def sign_in_page(visit: VisitDep) -> HTMLResponse:
    """Ask for a one-time code or an API key."""
    return page(visit, "sign_in.html", problem=None)


@router.post(SIGN_IN, dependencies=_form)
def sign_in(
    request: Request,
    visit: VisitDep,
    runtime: RuntimeDep,
    given: shapes.FormText = "",
) -> Response:
    """Begin a session; what is wrong is said on the same page, and not repeated there."""
    try:
        signed_in = admitted(request, given, lambda: console_access.sign_in(runtime, given.strip()))
    except UnauthorizedError:
        return page(visit, "sign_in.html", 401, problem=NO_SUCH_KEY)
    except TooManyRequestsError as error:
        return page(visit, "sign_in.html", error.status, problem=error.message)
    answer = RedirectResponse(HOME, SEE_OTHER)
    visit.signed_in(signed_in.session_id).keep(answer)
    return answer


@router.post("/console/signout", dependencies=_form)
def sign_out(visit: VisitDep, runtime: RuntimeDep) -> RedirectResponse:
    """End the session, here and in the database."""
    if visit.session_id:
        console_access.sign_out(runtime, visit.session_id)
    answer = RedirectResponse(SIGN_IN, SEE_OTHER)
    visit.signed_out().keep(answer)
    return answer


async def _to_sign_in(_request: Request, _error: Exception) -> RedirectResponse:
    return RedirectResponse(SIGN_IN, SEE_OTHER)


async def _outdated(request: Request, _error: Exception) -> HTMLResponse:
    visit = visit_of(request, runtime_of(request))
    return page(visit, "problem.html", 403, problem=FormOutdatedError().message)
