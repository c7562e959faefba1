"""An audit log: who did what, append-only and chained."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A guard against slips, not a wall: our role owns the table. What proves is the chain.
APPEND_ONLY = """
CREATE FUNCTION bankloom.audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.seq IS NULL AND NEW.seq IS NOT NULL
            AND to_jsonb(OLD) - ARRAY['seq', 'hash'] = to_jsonb(NEW) - ARRAY['seq', 'hash'] THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
COMMENT ON FUNCTION bankloom.audit_append_only IS
    'Lets an entry of the audit log be sealed once, and refuses every other change of one.';
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON bankloom.audit_entries
    FOR EACH ROW EXECUTE FUNCTION bankloom.audit_append_only();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON bankloom.audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION bankloom.audit_append_only();
"""


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "(seq IS NULL) = (hash IS NULL)", name=op.f("audit_entries_sealed_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_entries_pkey")),
        sa.UniqueConstraint("seq", name=op.f("audit_entries_seq_key")),
        schema="bankloom",
    )
    op.create_index(
        "audit_entries_newest_idx",
        "audit_entries",
        [sa.literal_column("at DESC"), sa.literal_column("id DESC")],
        schema="bankloom",
    )
    op.create_index("audit_entries_item_idx", "audit_entries", ["item_id"], schema="bankloom")
    op.create_index(
        "audit_entries_unsealed_idx",
        "audit_entries",
        ["at"],
        schema="bankloom",
        postgresql_where=sa.text("seq IS NULL"),
    )
    op.execute(APPEND_ONLY)
