"""What a fault does to a call: one function for each kind of trouble."""

from collections.abc import Callable

from starlette.responses import Response

from platypus_bank import cursors
from platypus_bank.calls import Call
from platypus_bank.errors import PlaidError
from platypus_bank.faults.asked import FaultRequest, NamedFault
from platypus_bank.faults.planted import Fault, Loop, Spoil, Visit
from platypus_bank.rate_limits import exceeded
from platypus_bank.records import Item

SLOW_SECONDS = 2.0
TIMEOUT_SECONDS = 600.0
PAGE = 2
_JSON = "application/json"
_GATEWAY_PAGE = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)


def parameters(fault: Fault) -> NamedFault:
    """Return what a fault was asked for by its name."""
    if not isinstance(fault.request, NamedFault):
        raise TypeError(f"{fault.id} was made by hand")
    return fault.request


def refusing(make: Callable[[Call], PlaidError]) -> Spoil:
    """Return what answers with an error; nothing happens."""

    async def refuse(visit: Visit, fault: Fault) -> Response:
        del fault
        refusal = make(visit.call)
        return visit.refuse(refusal.status, refusal.body())

    return refuse


def rate_limit(call: Call) -> PlaidError:
    """Return the 429 of the call's endpoint."""
    return exceeded(call.path, of_item=call.item_id is not None)


async def bad_gateway(visit: Visit, fault: Fault) -> Response:
    """Answer as a gateway whose server is gone: 502, and a page of HTML."""
    del fault
    visit.call.status = 502
    return Response(_GATEWAY_PAGE, 502, media_type="text/html")


async def slow(visit: Visit, fault: Fault) -> Response:
    """Answer after a while."""
    seconds = parameters(fault).seconds
    await fault.delay(SLOW_SECONDS if seconds is None else seconds)
    return visit.answer()


async def timeout(visit: Visit, fault: Fault) -> Response:
    """Give no answer, and hang up in the end; released before, the call goes on."""
    seconds = parameters(fault).seconds
    released = await fault.hold(TIMEOUT_SECONDS if seconds is None else seconds)
    return visit.answer() if released else visit.hang_up()


async def dropped_connection(visit: Visit, fault: Fault) -> Response:
    """Hang up before anything happens."""
    del fault
    return visit.hang_up()


async def lost_answer(visit: Visit, fault: Fault) -> Response:
    """Do what was asked for, and hang up."""
    del fault
    visit.answer()
    visit.call.status = None
    return visit.hang_up()


async def truncated_json(visit: Visit, fault: Fault) -> Response:
    """Do what was asked for; give half of the answer."""
    del fault
    whole = visit.answer()
    half = bytes(whole.body)[: len(whole.body) // 2]
    return Response(half, whole.status_code, media_type=_JSON)


async def invalid_json(visit: Visit, fault: Fault) -> Response:
    """Do what was asked for; give the whole answer with a comma too many."""
    del fault
    whole = visit.answer()
    return Response(bytes(whole.body)[:-1] + b",}", whole.status_code, media_type=_JSON)


async def empty_body(visit: Visit, fault: Fault) -> Response:
    """Do what was asked for; answer nothing."""
    del fault
    return Response(b"", visit.answer().status_code, media_type=_JSON)


async def mutation(visit: Visit, fault: Fault) -> Response:
    """Let the Item change, in nothing that shows, right before a page: the loop is void."""
    del fault
    with visit.commit():
        item = _item(visit)
        item.last_seq += 1
        visit.world.store.put(item)
    return visit.answer()


async def foreign_cursor(visit: Visit, fault: Fault) -> Response:
    """Make all the Item's cursors foreign to it, this one and those before."""
    del fault
    with visit.commit():
        item = _item(visit)
        item.cursor_era += 1
        visit.world.store.put(item)
    return visit.answer()


def _item(visit: Visit) -> Item:
    item = visit.world.store.get(Item, visit.call.item_id or "")
    if item is None:
        raise LookupError(f"{visit.call.item_id} is not in this world")
    return item


def any_call(visit: Visit, fault: Fault) -> bool:
    """Take every call."""
    del visit, fault
    return True


def about_an_item(visit: Visit, fault: Fault) -> bool:
    """Take calls whose token is an Item's."""
    del fault
    return visit.call.item_id is not None


def with_a_cursor(visit: Visit, fault: Fault) -> bool:
    """Take syncs that go on from a cursor, also between loops."""
    return about_an_item(visit, fault) and cursors.peek(visit.call.cursor) is not None


def at_its_page(visit: Visit, fault: Fault) -> bool:
    """Take syncs that ask for the page of a loop at which the fault strikes.

    A page that is asked for again, or once more from the loop's beginning, keeps its number.
    """
    cursor = cursors.peek(visit.call.cursor)
    if visit.call.item_id is None or cursor is None or cursor.is_between_loops:
        return False
    stream, span = (visit.call.item_id, cursor.account_id), (cursor.base, cursor.snapshot)
    loop = fault.loops.get(stream)
    if loop is None or loop.span != span:
        loop = fault.loops[stream] = Loop(span)
    place = (cursor.position, cursor.page)
    if place not in loop.places:
        loop.places.append(place)
    return loop.places.index(place) + 2 == (parameters(fault).page or PAGE)


async def by_hand(visit: Visit, fault: Fault) -> Response:
    """Answer as a fault that has no name says."""
    wanted = fault.request
    if not isinstance(wanted, FaultRequest):
        raise TypeError(f"{fault.id} was planted by name")
    if wanted.hold:
        await fault.hold()
    if wanted.delay_seconds:
        await fault.delay(wanted.delay_seconds)
    if wanted.drop_after_effect:
        return await lost_answer(visit, fault)
    if wanted.drop:
        return visit.hang_up()
    if wanted.error is not None:
        return visit.refuse(wanted.error.status, wanted.error.body())
    if wanted.body is not None:
        visit.call.status = 200
        return Response(wanted.body, media_type=_JSON)
    return visit.answer()
