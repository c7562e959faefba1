"""What every route asks of a request: the process's runtime and the caller behind the key."""

from __future__ import annotations

from typing import Annotated, get_origin

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bankloom.core.errors import InvalidRequestError, UnauthorizedError
from bankloom.routes.hardening.rates import admitted
from bankloom.services.api_access import Caller, authenticate
from bankloom.services.runtime import Runtime

_bearer = HTTPBearer(
    auto_error=False, description="A service key: BANKLOOM_API_KEY, or the one shown once."
)


def runtime_of(request: Request) -> Runtime:
    """Return the runtime that the app was built with."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def only_declared_query(request: Request) -> None:
    """Refuse a query parameter that the route does not know, or one given twice.

    A misspelt filter would show more than was asked for. Errors: `InvalidRequestError`.
    """
    declared = {field.alias: field for field in request.scope["route"].dependant.query_params}
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise InvalidRequestError(f"Unknown query parameter. Known here: {known}.")
        if given.count(name) > 1 and get_origin(declared[name].field_info.annotation) is not list:
            raise InvalidRequestError(f"The query parameter {name} may be given only once.")


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]


def caller_of(
    request: Request,
    runtime: RuntimeDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Return the caller behind the bearer key. Errors: `UnauthorizedError`."""
    if credentials is None:
        raise UnauthorizedError
    key = credentials.credentials
    return admitted(request, key, lambda: authenticate(runtime, key))


CallerDep = Annotated[Caller, Depends(caller_of)]
