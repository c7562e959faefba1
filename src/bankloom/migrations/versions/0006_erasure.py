"""Erasure: what was removed, at Plaid and here, with a receipt."""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
