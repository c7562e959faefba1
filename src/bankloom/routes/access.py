"""What every route asks of a request: the process's runtime and the caller behind the key."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bankloom.core.errors import UnauthorizedError
from bankloom.services.api_access import Caller, authenticate
from bankloom.services.runtime import Runtime

_bearer = HTTPBearer(
    auto_error=False, description="A service key: BANKLOOM_API_KEY, or the one shown once."
)


def runtime_of(request: Request) -> Runtime:
    """Return the runtime that the app was built with."""
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]


def caller_of(
    runtime: RuntimeDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Return the caller behind the bearer key. Errors: `UnauthorizedError`."""
    if credentials is None:
        raise UnauthorizedError
    return authenticate(runtime, credentials.credentials)


CallerDep = Annotated[Caller, Depends(caller_of)]
