"""The faults that strike any call, and those of a loop of /transactions/sync."""

from platypus_bank import errors
from platypus_bank.faults import spoiling
from platypus_bank.faults.named import CallFault

_SYNC = ("/transactions/sync",)


def of_any_call() -> list[CallFault]:
    """Return what can happen to any call on its way, or at Plaid's."""
    return [
        CallFault(
            name="rate_limit",
            does="429 `RATE_LIMIT_EXCEEDED`, with the endpoint's own code",
            spoil=spoiling.refusing(spoiling.rate_limit),
            retried=True,
        ),
        CallFault(
            name="internal_server_error",
            does="500 `INTERNAL_SERVER_ERROR`",
            spoil=spoiling.refusing(lambda _: errors.InternalServerError()),
            retried=True,
        ),
        CallFault(
            name="planned_maintenance",
            does="503 `PLANNED_MAINTENANCE`",
            spoil=spoiling.refusing(lambda _: errors.PlannedMaintenance()),
            retried=True,
        ),
        CallFault(
            name="bad_gateway",
            does="502 with a page of HTML, as from a gateway",
            spoil=spoiling.bad_gateway,
            retried=True,
        ),
        CallFault(
            name="timeout",
            does="no answer; after `seconds` (600) the connection is closed. Nothing happened",
            spoil=spoiling.timeout,
            retried=True,
            parameters=("seconds",),
        ),
        CallFault(
            name="slow",
            does="the right answer, after `seconds` (2)",
            spoil=spoiling.slow,
            retried=True,
            parameters=("seconds",),
        ),
        CallFault(
            name="dropped_connection",
            does="the connection is closed without an answer. Nothing happened",
            spoil=spoiling.dropped_connection,
            retried=True,
        ),
        CallFault(
            name="lost_answer",
            does="the call does its work, then the connection is closed without an answer",
            spoil=spoiling.lost_answer,
            retried=True,
        ),
        CallFault(
            name="truncated_json",
            does="the call does its work; its answer ends half-way",
            spoil=spoiling.truncated_json,
            retried=True,
        ),
        CallFault(
            name="invalid_json",
            does="the call does its work; its answer has a comma too many",
            spoil=spoiling.invalid_json,
            retried=True,
        ),
        CallFault(
            name="empty_body",
            does="the call does its work; its answer is empty",
            spoil=spoiling.empty_body,
            retried=True,
        ),
    ]


def of_loops() -> list[CallFault]:
    """Return what voids a loop: https://plaid.com/docs/errors/transactions/."""
    return [
        CallFault(
            name="mutation_during_pagination",
            does=(
                "the Item changes before `page` (2) of a loop, so that page is refused with "
                "`TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION` until the loop begins again"
            ),
            spoil=spoiling.mutation,
            paths=_SYNC,
            fits=spoiling.at_its_page,
            bound=True,
            retried=True,
            parameters=("page",),
        ),
        CallFault(
            name="foreign_cursor",
            does=(
                "all cursors of the Item become foreign to it: `INVALID_FIELD`, `cursor not "
                "associated with access_token`, until the client begins at the beginning"
            ),
            spoil=spoiling.foreign_cursor,
            paths=_SYNC,
            fits=spoiling.with_a_cursor,
            bound=True,
        ),
    ]
