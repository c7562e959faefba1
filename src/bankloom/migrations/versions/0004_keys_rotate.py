"""Keys rotate: processes tell which keys they hold, rotations where they led, rows what seals them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SEALED = (
    ("items", "access_token_sealed", "item_id"),
    ("exchange_claims", "public_token_sealed", "public_token_hash"),
    ("link_sessions", "link_token_sealed", "id"),
    ("webhook_deliveries", "body_sealed", "id"),
)


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "processes",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("keys", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("processes_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "sealing_keys",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("sealing_keys_pkey")),
        schema="bankloom",
        comment="Sealed values open only with the keyring, which is never in this database,"
        " nor in a backup of it.",
    )
    op.create_index(
        "sealing_keys_current_idx",
        "sealing_keys",
        [sa.literal_column("(superseded_at IS NULL)")],
        unique=True,
        schema="bankloom",
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    for table, column, primary_key in SEALED:
        op.create_index(
            f"{table}_sealed_key_idx",
            table,
            [sa.literal_column(f"split_part({column}, '.', 2)"), primary_key],
            unique=False,
            schema="bankloom",
        )
    op.add_column(
        "items",
        sa.Column("token_asked_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
