"""It stays in sync by itself: deliveries, health, schedules, budgets, update mode, counters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# One round trip where the engine's client and a savepoint around it take three: every webhook waits for it.
DEFER_UNLESS_WAITING = """
CREATE FUNCTION bankloom.defer_unless_waiting(
    task text, queue text, only_one text, one_at_a_time text, args jsonb
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    violated text;
BEGIN
    IF EXISTS (
        SELECT FROM bankloom_jobs.procrastinate_jobs WHERE queueing_lock = only_one AND status = 'todo'
    ) THEN
        RETURN;
    END IF;
    PERFORM bankloom_jobs.procrastinate_defer_jobs_v1(ARRAY[
        ROW(queue, task, 0, one_at_a_time, only_one, args, NULL)
    ]::bankloom_jobs.procrastinate_job_to_defer_v1[]);
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
    IF violated <> 'procrastinate_jobs_queueing_lock_idx_v1' THEN
        RAISE;
    END IF;
END
$$;
COMMENT ON FUNCTION bankloom.defer_unless_waiting IS
    'Queues a job of the engine, unless one with its queueing lock waits; the commit lives on either way.';
"""

# What services/request_run.py does, in one round trip instead of four. Each statement of a function sees
# what was committed before it began, so the lock means what it means outside of one.
REQUEST_RUN = """
CREATE FUNCTION bankloom.request_run(
    item text, cause text, at timestamptz, by_person boolean, removals boolean, asks boolean
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    run uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(item, 1));
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

CHECKS = {
    "items": (
        "state",
        ("new", "healthy", "degraded", "needs re-link", "disconnecting", "revoked", "removed"),
    ),
    "item_products": (
        "state",
        (
            "requested",
            "syncing",
            "ready",
            "consent needed",
            "not supported",
            "failing",
            "needs you",
        ),
    ),
    "link_sessions": ("purpose", ("link", "repair", "accounts", "products")),
    "exchange_claims": ("state", ("claimed", "done", "held", "discarded", "possible orphan")),
    "sync_runs": (
        "status",
        (
            "queued",
            "running",
            "synced",
            "up_to_date",
            "not_ready",
            "needs_relink",
            "failed",
            "cancelled",
            "superseded",
        ),
    ),
}
OLD_CHECKS = ("exchange_claims", "item_products", "sync_runs")


def upgrade() -> None:
    op.create_table(
        "chores",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("chores_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("counters_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "plaid_budgets",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("plaid_budgets_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "self_test_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("jwk", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("self_test_keys_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("jwt_hash", sa.Text(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("webhook_type", sa.Text(), nullable=False),
        sa.Column("webhook_code", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.Column("body_sealed", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_deliveries_pkey")),
        sa.UniqueConstraint("jwt_hash", name=op.f("webhook_deliveries_jwt_hash_key")),
        schema="bankloom",
    )
    op.create_index(
        "webhook_deliveries_due_idx",
        "webhook_deliveries",
        ["next_try_at"],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("handled_at IS NULL AND next_try_at IS NOT NULL"),
    )
    op.create_index(
        "webhook_deliveries_newest_idx",
        "webhook_deliveries",
        [sa.literal_column("received_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        schema="bankloom",
    )
    op.create_index(
        "webhook_deliveries_waiting_idx",
        "webhook_deliveries",
        ["item_id"],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_table(
        "webhook_refusals",
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "samples", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.PrimaryKeyConstraint("verdict", name=op.f("webhook_refusals_pkey")),
        schema="bankloom",
    )
    op.add_column(
        "exchange_claims", sa.Column("duplicate_of", sa.Text(), nullable=True), schema="bankloom"
    )
    op.create_foreign_key(
        op.f("exchange_claims_duplicate_of_fkey"),
        "exchange_claims",
        "items",
        ["duplicate_of"],
        ["item_id"],
        source_schema="bankloom",
        referent_schema="bankloom",
    )
    op.create_index(
        "exchange_claims_held_idx",
        "exchange_claims",
        ["link_session_id"],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("state = 'held'"),
    )
    op.add_column(
        "items",
        sa.Column("state", sa.Text(), server_default="new", nullable=False),
        schema="bankloom",
    )
    op.add_column("items", sa.Column("state_reason", sa.Text(), nullable=True), schema="bankloom")
    op.add_column(
        "items",
        sa.Column(
            "state_since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        schema="bankloom",
    )
    op.add_column(
        "items",
        sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "items", sa.Column("check_at", sa.DateTime(timezone=True), nullable=True), schema="bankloom"
    )
    op.add_column(
        "items", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True), schema="bankloom"
    )
    op.add_column(
        "items",
        sa.Column("bank_updated_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "items",
        sa.Column("bank_failed_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "items",
        sa.Column("disconnect_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "items", sa.Column("disconnect_reason", sa.Text(), nullable=True), schema="bankloom"
    )
    op.add_column(
        "items",
        sa.Column("repaired_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "items",
        sa.Column("new_accounts_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "items",
        sa.Column("cooling_until", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "items",
        sa.Column("coolings", sa.Integer(), server_default="0", nullable=False),
        schema="bankloom",
    )
    op.add_column(
        "items", sa.Column("days_requested", sa.Integer(), nullable=True), schema="bankloom"
    )
    op.create_index(
        "items_check_idx",
        "items",
        ["check_at"],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("check_at IS NOT NULL AND removed_at IS NULL"),
    )
    op.add_column(
        "link_sessions",
        sa.Column("purpose", sa.Text(), server_default="link", nullable=False),
        schema="bankloom",
    )
    op.add_column(
        "link_sessions", sa.Column("item_id", sa.Text(), nullable=True), schema="bankloom"
    )
    op.add_column(
        "link_sessions",
        sa.Column("hosted", sa.Boolean(), server_default="false", nullable=False),
        schema="bankloom",
    )
    op.add_column(
        "link_sessions",
        sa.Column("poll_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "link_sessions",
        sa.Column("exited_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "link_sessions",
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.add_column(
        "link_sessions",
        sa.Column("lost", sa.Boolean(), server_default="false", nullable=False),
        schema="bankloom",
    )
    op.add_column(
        "link_sessions",
        sa.Column(
            "linked_item_ids", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        schema="bankloom",
    )
    op.create_index(
        "link_sessions_poll_idx",
        "link_sessions",
        ["poll_at"],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("poll_at IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("link_sessions_item_id_fkey"),
        "link_sessions",
        "items",
        ["item_id"],
        ["item_id"],
        source_schema="bankloom",
        referent_schema="bankloom",
    )
    op.add_column(
        "sync_runs",
        sa.Column("asks_item", sa.Boolean(), server_default="false", nullable=False),
        schema="bankloom",
    )
    op.create_index(
        "sync_runs_newest_idx",
        "sync_runs",
        [sa.literal_column("requested_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        schema="bankloom",
    )
    op.create_index(
        "sync_runs_status_idx",
        "sync_runs",
        ["status", sa.literal_column("requested_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        schema="bankloom",
    )
    for table, (column, values) in CHECKS.items():
        name = f"{table}_{column}_check"
        if table in OLD_CHECKS:
            op.drop_constraint(name, table, schema="bankloom")
        listed = ", ".join(f"'{value}'" for value in values)
        op.create_check_constraint(op.f(name), table, f"{column} IN ({listed})", schema="bankloom")
    op.execute(DEFER_UNLESS_WAITING)
    op.execute(REQUEST_RUN)
    # Items of before are looked at soon: how they are is not known yet.
    op.execute("UPDATE bankloom.items SET check_at = now() WHERE removed_at IS NULL")
