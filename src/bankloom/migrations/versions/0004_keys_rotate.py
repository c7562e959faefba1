"""Keys rotate: processes tell which keys they hold, and a rotation how far it has come."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
