"""What every service works with: settings, database, keyring and Plaid, opened once a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bankloom.core.db import Database
from bankloom.core.errors import WorldMismatchError
from bankloom.core.keyring import Keyring
from bankloom.models import Item
from bankloom.services.plaid_client import PlaidClient

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.models import World

KEYRING_FILE = "keyring"


@dataclass(frozen=True)
class Runtime:
    """The opened parts of one process."""

    settings: Settings
    database: Database
    keyring: Keyring
    plaid: PlaidClient

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open everything that the settings name. Errors: `ConfigurationError`."""
        keyring = open_keyring(settings)
        return cls(settings, Database.open(settings), keyring, PlaidClient(settings.plaid))

    def close(self) -> None:
        """Give everything back."""
        self.plaid.close()
        self.database.close()

    def refuse_other_worlds(self) -> None:
        """Refuse to start over Items of another world. Errors: `WorldMismatchError`, naming both."""
        with self.database.session() as session:
            worlds = Item.worlds(session)
        for world in worlds:
            refuse_other_world(world, self.plaid.world)


def refuse_other_world(stored: World, configured: World) -> None:
    """Keep the tokens of one world out of another. Errors: `WorldMismatchError`, naming both."""
    if stored != configured:
        raise WorldMismatchError(
            f"This database holds Items of {stored}, but the settings name {configured}. Point "
            "PLAID_ENV, PLAID_BASE_URL and PLAID_CLIENT_ID back to the former, or use another "
            "database or BANKLOOM_DATA_DIR for the latter. Nothing was changed."
        )


def open_keyring(settings: Settings) -> Keyring:
    """Return the keyring of the settings, or the one in the data folder, made at the first start."""
    if settings.encryption_keys:
        return Keyring.parse(settings.encryption_keys.get_secret_value())
    # Others may pass through, not look in: as root, the database runs as another user.
    settings.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    return Keyring.load_or_create(settings.data_dir / KEYRING_FILE)
