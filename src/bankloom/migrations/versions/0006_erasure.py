"""Erasure: what was removed, at Plaid and here, with a receipt."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As in 0002, but that a removed Item gets no run: null, where one that is gone would be an error. The
# look is taken under the lock that whoever erases the Item takes too, and keeps the row until the commit.
REQUEST_RUN = """
CREATE OR REPLACE FUNCTION bankloom.request_run(
    item text, cause text, at timestamptz, by_person boolean, removals boolean, asks boolean
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    run uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(item, 1));
    PERFORM FROM bankloom.items WHERE item_id = item AND removed_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE bankloom.item_products SET next_try_at = at
    WHERE item_id = item
        AND (by_person OR state NOT IN ('consent needed', 'not supported', 'needs you'));
    INSERT INTO bankloom.sync_runs AS queued (item_id, trigger, requested_at, allow_removals, asks_item)
    VALUES (item, cause, at, removals, asks)
    ON CONFLICT (item_id) WHERE status = 'queued' DO UPDATE
    SET allow_removals = queued.allow_removals OR excluded.allow_removals,
        asks_item = queued.asks_item OR excluded.asks_item
    RETURNING id INTO run;
    PERFORM bankloom.defer_unless_waiting(
        'sync_item', 'items', item, item, jsonb_build_object('item_id', item)
    );
    RETURN run;
END
$$;
"""
INSTANTS = ("next_try_at", "removed_at", "finished_at")
TEXTS = (
    "item_id",
    "account_id",
    "error_code",
    "error_message",
    "request_id",
    "already_gone",
    "removal_request_id",
)


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_hash", sa.Text(), nullable=False),
        sa.Column("part_of", sa.UUID(), nullable=True),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("keeps_data", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "rows_deleted",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in INSTANTS),
        *(sa.Column(name, sa.Text(), nullable=True) for name in TEXTS),
        sa.CheckConstraint(
            "subject IN ('item', 'account', 'user')", name=op.f("erasures_subject_check")
        ),
        sa.ForeignKeyConstraint(
            ["part_of"], ["bankloom.erasures.id"], name=op.f("erasures_part_of_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("erasures_pkey")),
        schema="bankloom",
    )
    op.create_index(
        "erasures_open_idx",
        "erasures",
        ["subject_hash"],
        unique=True,
        schema="bankloom",
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index("erasures_subject_idx", "erasures", ["subject_hash"], schema="bankloom")
    for name, column in {"user": "user_id", "parts": "part_of"}.items():
        op.create_index(
            f"erasures_{name}_idx",
            "erasures",
            [column],
            schema="bankloom",
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_index(
        "transactions_tombstones_idx",
        "transactions",
        ["account_id"],
        schema="bankloom",
        postgresql_where=sa.text("removed_at IS NOT NULL"),
    )
    op.create_index(
        "webhook_deliveries_item_idx", "webhook_deliveries", ["item_id"], schema="bankloom"
    )
    op.create_index(
        "link_sessions_item_idx",
        "link_sessions",
        ["item_id"],
        schema="bankloom",
        postgresql_where=sa.text("item_id IS NOT NULL"),
    )
    op.add_column(
        "accounts",
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    for column in ("access_token_sealed", "access_token_hash"):
        op.alter_column("items", column, nullable=True, schema="bankloom")
    op.create_check_constraint(
        op.f("items_token_check"),
        "items",
        "removed_at IS NOT NULL OR (access_token_sealed IS NOT NULL AND access_token_hash IS NOT NULL)",
        schema="bankloom",
    )
    op.execute(REQUEST_RUN)
