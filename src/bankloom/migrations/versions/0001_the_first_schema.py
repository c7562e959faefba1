"""The first schema: our tables, the job engine's, and the views of the read-only role."""

from importlib.resources import files

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

VIEWS = """
CREATE SCHEMA bank;
COMMENT ON SCHEMA bank IS
    'Stable views for people and reports. Amounts keep Plaid''s sign: positive is money out.';

CREATE VIEW bank.accounts AS
SELECT a.id, a.account_id, a.item_id, u.name AS user_id, n.name AS institution,
       a.name, a.official_name, a.mask, a.type, a.subtype,
       a.current, a.available, a.limit AS credit_limit,
       COALESCE(a.iso_currency_code, a.unofficial_currency_code) AS currency,
       a.described_at AS updated_at, a.closed_at
FROM bankloom.accounts a
JOIN bankloom.items i ON i.item_id = a.item_id AND i.removed_at IS NULL
JOIN bankloom.users u ON u.id = i.user_id
LEFT JOIN bankloom.institutions n ON n.institution_id = i.institution_id;

CREATE VIEW bank.transactions AS
SELECT t.transaction_id, t.lineage_id, t.account_id, t.item_id, u.name AS user_id,
       t.date, t.authorized_date, t.amount,
       COALESCE(t.iso_currency_code, t.unofficial_currency_code) AS currency,
       t.name, t.merchant_name, t.category_primary, t.category_detailed, t.payment_channel,
       t.pending, t.pending_transaction_id, t.created_at, t.updated_at
FROM bankloom.transactions t
JOIN bankloom.users u ON u.id = t.user_id
WHERE t.removed_at IS NULL;

CREATE VIEW bank.balances AS
SELECT b.account_id, b.date, b.current, b.available, b.limit AS credit_limit,
       COALESCE(b.iso_currency_code, b.unofficial_currency_code) AS currency, b.taken_at
FROM bankloom.balance_snapshots b;
"""


def upgrade() -> None:
    create_tables()
    create_engine_tables()
    op.execute(VIEWS)


def create_engine_tables() -> None:
    """Create the job engine's own schema, from the copy of its SQL that this revision is about."""
    engine_sql = (
        files("bankloom.migrations").joinpath("engine/procrastinate_3_10_0.sql").read_text("utf-8")
    )
    connection = op.get_bind()
    connection.execute(sa.text("CREATE SCHEMA bankloom_jobs"))
    connection.execute(sa.text("SET LOCAL search_path TO bankloom_jobs"))
    connection.connection.cursor().execute(engine_sql)
    connection.execute(sa.text("SET LOCAL search_path TO bankloom, bankloom_jobs"))


def create_tables() -> None:
    op.create_table(
        "institutions",
        sa.Column("institution_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("primary_color", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("institution_id", name=op.f("institutions_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "transaction_staging",
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("op", sa.SmallInteger(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("pending_transaction_id", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("iso_currency_code", sa.Text(), nullable=True),
        sa.Column("unofficial_currency_code", sa.Text(), nullable=True),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("authorized_date", sa.Date(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("merchant_name", sa.Text(), nullable=True),
        sa.Column("pending", sa.Boolean(), nullable=True),
        sa.Column("payment_channel", sa.Text(), nullable=True),
        sa.Column("category_primary", sa.Text(), nullable=True),
        sa.Column("category_detailed", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "page", "row", name=op.f("transaction_staging_pkey")),
        schema="bankloom",
    )
    op.create_index(
        "transaction_staging_special_idx",
        "transaction_staging",
        ["run_id"],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("op = 2 OR pending_transaction_id IS NOT NULL"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("users_pkey")),
        sa.UniqueConstraint("name", name=op.f("users_name_key")),
        schema="bankloom",
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bankloom.users.id"], name=op.f("api_keys_user_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("api_keys_pkey")),
        sa.UniqueConstraint("prefix", name=op.f("api_keys_prefix_key")),
        schema="bankloom",
    )
    op.create_table(
        "items",
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("institution_id", sa.Text(), nullable=True),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("access_token_sealed", sa.Text(), nullable=False),
        sa.Column("access_token_hash", sa.Text(), nullable=False),
        sa.Column("token_generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=True),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("consent_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_error_code", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("described_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bankloom.users.id"], name=op.f("items_user_id_fkey")
        ),
        sa.PrimaryKeyConstraint("item_id", name=op.f("items_pkey")),
        sa.UniqueConstraint("access_token_hash", name=op.f("items_access_token_hash_key")),
        schema="bankloom",
    )
    op.create_index(
        op.f("items_user_id_idx"), "items", ["user_id"], unique=False, schema="bankloom"
    )
    op.create_table(
        "link_sessions",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("world", sa.Text(), nullable=False),
        sa.Column("products", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("link_token_sealed", sa.Text(), nullable=True),
        sa.Column("link_token_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("exchanged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bankloom.users.id"], name=op.f("link_sessions_user_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("link_sessions_pkey")),
        sa.UniqueConstraint("link_token_hash", name=op.f("link_sessions_link_token_hash_key")),
        schema="bankloom",
    )
    op.create_index(
        "link_sessions_open_idx",
        "link_sessions",
        [sa.literal_column("created_at DESC")],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("link_token_sealed IS NOT NULL"),
    )
    op.create_index(
        op.f("link_sessions_user_id_idx"),
        "link_sessions",
        ["user_id"],
        unique=False,
        schema="bankloom",
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("official_name", sa.Text(), nullable=True),
        sa.Column("mask", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subtype", sa.Text(), nullable=True),
        sa.Column("current", sa.Numeric(), nullable=True),
        sa.Column("available", sa.Numeric(), nullable=True),
        sa.Column("limit", sa.Numeric(), nullable=True),
        sa.Column("iso_currency_code", sa.Text(), nullable=True),
        sa.Column("unofficial_currency_code", sa.Text(), nullable=True),
        sa.Column("persistent_account_id", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("described_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["bankloom.items.item_id"], name=op.f("accounts_item_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_pkey")),
        sa.UniqueConstraint("account_id", name=op.f("accounts_account_id_key")),
        schema="bankloom",
    )
    op.create_index(
        op.f("accounts_item_id_idx"), "accounts", ["item_id"], unique=False, schema="bankloom"
    )
    op.create_table(
        "exchange_claims",
        sa.Column("public_token_hash", sa.Text(), nullable=False),
        sa.Column("public_token_sealed", sa.Text(), nullable=True),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("link_session_id", sa.UUID(), nullable=True),
        sa.Column("world", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="claimed", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.Column("exchanged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('claimed', 'done', 'possible orphan')",
            name=op.f("exchange_claims_state_check"),
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["bankloom.items.item_id"], name=op.f("exchange_claims_item_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["link_session_id"],
            ["bankloom.link_sessions.id"],
            name=op.f("exchange_claims_link_session_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bankloom.users.id"], name=op.f("exchange_claims_user_id_fkey")
        ),
        sa.PrimaryKeyConstraint("public_token_hash", name=op.f("exchange_claims_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "item_products",
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="requested", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.Column("update_status", sa.Text(), nullable=True),
        sa.Column("tries_until_complete", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'syncing', 'ready', 'consent needed', 'not supported', 'failing')",
            name=op.f("item_products_state_check"),
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["bankloom.items.item_id"], name=op.f("item_products_item_id_fkey")
        ),
        sa.PrimaryKeyConstraint("item_id", "product", name=op.f("item_products_pkey")),
        schema="bankloom",
    )
    op.create_index(
        "item_products_due_idx",
        "item_products",
        ["next_try_at"],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.create_table(
        "sync_runs",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="queued", nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("allow_removals", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_pulled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("added", sa.Integer(), server_default="0", nullable=False),
        sa.Column("modified", sa.Integer(), server_default="0", nullable=False),
        sa.Column("removed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("superseded_by", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'synced', 'up_to_date', 'not_ready', "
            "'needs_relink', 'failed', 'superseded')",
            name=op.f("sync_runs_status_check"),
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["bankloom.items.item_id"], name=op.f("sync_runs_item_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("sync_runs_pkey")),
        schema="bankloom",
    )
    op.create_index(
        "sync_runs_item_idx",
        "sync_runs",
        ["item_id", sa.literal_column("requested_at DESC")],
        unique=False,
        schema="bankloom",
    )
    op.create_index(
        "sync_runs_finished_idx", "sync_runs", ["finished_at"], unique=False, schema="bankloom"
    )
    op.create_index(
        "sync_runs_queued_idx",
        "sync_runs",
        ["item_id"],
        unique=True,
        schema="bankloom",
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_table(
        "balance_snapshots",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("current", sa.Numeric(), nullable=True),
        sa.Column("available", sa.Numeric(), nullable=True),
        sa.Column("limit", sa.Numeric(), nullable=True),
        sa.Column("iso_currency_code", sa.Text(), nullable=True),
        sa.Column("unofficial_currency_code", sa.Text(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["bankloom.accounts.account_id"],
            name=op.f("balance_snapshots_account_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("account_id", "date", name=op.f("balance_snapshots_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "transactions",
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("lineage_id", sa.Text(), nullable=False),
        sa.Column("pending_transaction_id", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("iso_currency_code", sa.Text(), nullable=True),
        sa.Column("unofficial_currency_code", sa.Text(), nullable=True),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("authorized_date", sa.Date(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("merchant_name", sa.Text(), nullable=True),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("payment_channel", sa.Text(), nullable=True),
        sa.Column("category_primary", sa.Text(), nullable=True),
        sa.Column("category_detailed", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("transactions_pkey")),
        schema="bankloom",
    )
    op.create_index(
        "transactions_of_account_idx",
        "transactions",
        ["account_id", sa.literal_column("date DESC"), sa.literal_column("transaction_id DESC")],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index(
        "transactions_newest_idx",
        "transactions",
        ["user_id", sa.literal_column("date DESC"), sa.literal_column("transaction_id DESC")],
        unique=False,
        schema="bankloom",
        postgresql_where=sa.text("removed_at IS NULL"),
    )
