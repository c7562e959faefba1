"""How the banks fare in this world: healthy, degraded or down, as their seed or a test says."""

from platypus_bank.errors import InstitutionDown
from platypus_bank.records import InstitutionStatus, Item
from platypus_bank.seeds.institutions import Health, institution
from platypus_bank.world import World

SEEDED_AT = 1_704_067_200.0  # 2024-01-01: before any world began


def status_of(world: World, institution_id: str) -> InstitutionStatus:
    """Return how a bank fares, and since when; raises InvalidInstitution."""
    known = world.store.get(InstitutionStatus, institution_id)
    return known or InstitutionStatus(
        id=institution_id, status=institution(institution_id).health, changed_at=SEEDED_AT
    )


def change_status(world: World, institution_id: str, status: Health) -> InstitutionStatus:
    """Let a bank go down, or come back; raises InvalidInstitution."""
    before = status_of(world, institution_id)
    if before.status != status:
        before.status, before.changed_at = status, world.clock.now()
        world.store.put(before)
    return before


def check_up(world: World, institution_id: str) -> None:
    """Raise InstitutionDown where the bank is down."""
    if status_of(world, institution_id).status == "DOWN":
        raise InstitutionDown


def is_reachable(world: World, item: Item) -> bool:
    """Tell whether Plaid reaches an Item's bank: it is there, its login works, the bank is up."""
    if item.removed or item.error_code is not None:
        return False
    return status_of(world, item.institution_id).status != "DOWN"
