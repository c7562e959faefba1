"""What every route asks of a request: the process's runtime and the caller behind the key."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Self, get_origin

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from bankloom.core.access_errors import UnauthorizedError
from bankloom.core.errors import InvalidRequestError
from bankloom.models import Scope
from bankloom.routes.hardening.rates import admitted
from bankloom.services.api_access import Caller, authenticate
from bankloom.services.runtime import Runtime

_bearer = HTTPBearer(
    auto_error=False, description="An API key: BANKLOOM_API_KEY, or one of `bankloom keys`."
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


class Call(NamedTuple):
    """A call that may be made: the parts it works with, and who makes it.

    For a user's key the parts are confined to that user; no route needs to know.
    """

    runtime: Runtime
    caller: Caller

    @classmethod
    def of(cls, runtime: Runtime, caller: Caller) -> Self:
        """Return a caller's call: the parts act in their name, and for a user's key on that user only."""
        if caller.user_id is not None:
            return cls(runtime.confined_to(caller.user_id, caller.name), caller)
        return cls(runtime.acting_for(caller.name), caller)


def call_of(
    scopes: SecurityScopes,
    request: Request,
    runtime: RuntimeDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Call:
    """Let the caller behind the bearer key in, if it has the scopes that the route asks for.

    Errors: `UnauthorizedError`; `ScopeRequiredError`.
    """
    if credentials is None:
        raise UnauthorizedError
    key = credentials.credentials
    caller = admitted(request, key, lambda: authenticate(runtime, key))
    caller.require(scopes.scopes)
    return Call.of(runtime, caller)


MayRead = Annotated[Call, Security(call_of, scopes=[Scope.READ.value])]
MaySync = Annotated[Call, Security(call_of, scopes=[Scope.SYNC.value])]
MayLink = Annotated[Call, Security(call_of, scopes=[Scope.LINK.value])]
MayAdmin = Annotated[Call, Security(call_of, scopes=[Scope.ADMIN.value])]
"""Who calls, on the route's line of arguments: /openapi.json then tells which scope it needs."""
