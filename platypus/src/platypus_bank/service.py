"""What one running server holds: the world, the planted faults, the log of calls."""

from msgspec import Struct, field

from platypus_bank.calls import Calls
from platypus_bank.faults import Faults
from platypus_bank.world import World


class Service(Struct, kw_only=True):
    """The state behind both doors, Plaid's and the control API's."""

    world: World
    faults: Faults = field(default_factory=Faults)
    calls: Calls = field(default_factory=Calls)
