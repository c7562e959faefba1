"""Who may call: keys have an owner and scopes, and tell when they were last used."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("owner", sa.Text(), nullable=True), schema="bankloom")
    op.add_column(
        "api_keys",
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default="{read}", nullable=False),
        schema="bankloom",
    )
    op.add_column(
        "api_keys",
        sa.Column("minted", sa.Boolean(), server_default="false", nullable=False),
        schema="bankloom",
    )
    op.add_column("api_keys", sa.Column("minted_by", sa.UUID(), nullable=True), schema="bankloom")
    op.add_column(
        "api_keys",
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        schema="bankloom",
    )
    op.create_foreign_key(
        op.f("api_keys_minted_by_fkey"),
        "api_keys",
        "api_keys",
        ["minted_by"],
        ["id"],
        source_schema="bankloom",
        referent_schema="bankloom",
    )
    for column in ("user_id", "minted_by"):
        op.create_index(op.f(f"api_keys_{column}_idx"), "api_keys", [column], schema="bankloom")
    # Keys of before could do everything within their reach.
    op.execute(
        "UPDATE bankloom.api_keys SET scopes = CASE WHEN user_id IS NULL"
        " THEN ARRAY['read', 'sync', 'link', 'admin'] ELSE ARRAY['read', 'sync', 'link'] END"
    )
    for name, rule in {
        "scopes": "cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'sync', 'link', 'admin']::text[]",
        "admin": "user_id IS NULL OR NOT 'admin' = ANY (scopes)",
    }.items():
        op.create_check_constraint(
            op.f(f"api_keys_{name}_check"), "api_keys", rule, schema="bankloom"
        )
    op.create_table(
        "sign_in_codes",
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("sign_in_codes_pkey")),
        schema="bankloom",
    )
    op.create_table(
        "console_sessions",
        sa.Column("id_hash", sa.Text(), nullable=False),
        sa.Column("key_id", sa.UUID(), nullable=True),
        sa.Column("settings_key_hash", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["bankloom.api_keys.id"],
            name=op.f("console_sessions_key_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("console_sessions_pkey")),
        schema="bankloom",
    )
    op.create_index(
        op.f("console_sessions_key_id_idx"), "console_sessions", ["key_id"], schema="bankloom"
    )
