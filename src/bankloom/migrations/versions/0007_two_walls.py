"""Two walls: row-level security confines a user's key to that user's rows.

The policies name no role, so that a backup can be restored where the role does not exist yet: they
are for everyone but the tables' owner, whom row-level security does not touch. Who may do what at
all is granted at every start (services/second_wall.py).
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# HMAC-SHA-256 by hand: PostgreSQL has sha256(), and pgcrypto may not be installed anywhere. The last
# comparison is of hashes, so that how long it takes tells nothing of the signature that was due.
CONFINED_USER = """
CREATE FUNCTION bankloom.confined_user() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shown text := current_setting('bankloom.pass', true);
    parts text[] := string_to_array(shown, '.');
    due bytea;
BEGIN
    IF shown IS NULL OR cardinality(parts) <> 4 THEN
        RETURN NULL;
    END IF;
    SELECT sha256(
        outer_pad || sha256(inner_pad || convert_to(concat_ws('.', parts[1], parts[2], parts[3]), 'UTF8'))
    )
        INTO due FROM bankloom.pass_key;
    IF sha256(convert_to(encode(due, 'hex'), 'UTF8')) = sha256(convert_to(parts[4], 'UTF8')) THEN
        -- Only what we have signed is read: it needs no other check of its shape.
        IF parts[2]::bigint = pg_backend_pid() AND parts[3]::bigint >= extract(epoch FROM now()) THEN
            RETURN parts[1]::uuid;
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bankloom.confined_user IS
    'Returns the user whose valid pass this session shows, or null. See core/confined.py.';
"""

CONFINED_ITEMS = """
CREATE FUNCTION bankloom.confined_items() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(item_id), '{}') FROM bankloom.items WHERE user_id = bankloom.confined_user()
$$;
COMMENT ON FUNCTION bankloom.confined_items IS 'Returns the Items of the confined user.';
"""

HOLDS_ITEM = """
CREATE FUNCTION bankloom.holds_item(item text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM bankloom.items WHERE item_id = item AND removed_at IS NULL)
$$;
COMMENT ON FUNCTION bankloom.holds_item IS
    'Says whether an Item is held, whoever has it: what is another''s must not be taken for lost.';
"""

# As before, but for those who may not enter the engine's schema: the confined role may wake the engine
# for an Item of its user. The owner, and who may act as the owner, is bound by nothing.
DEFER_UNLESS_WAITING = """
CREATE OR REPLACE FUNCTION bankloom.defer_unless_waiting(
    task text, queue text, only_one text, one_at_a_time text, args jsonb
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bankloom_jobs, pg_temp AS $$
DECLARE
    violated text;
BEGIN
    IF NOT pg_has_role(session_user, current_user, 'MEMBER') AND NOT coalesce(
        task = 'sync_item' AND queue = 'items' AND one_at_a_time = only_one
        AND only_one = ANY (bankloom.confined_items())
        AND args = jsonb_build_object('item_id', only_one), false
    ) THEN
        RAISE insufficient_privilege USING MESSAGE = 'this job is not of the confined user';
    END IF;
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
"""

OWN = "user_id = (SELECT bankloom.confined_user())"
OF_ITEM = "item_id = ANY ((SELECT bankloom.confined_items())::text[])"
OF_ACCOUNT = "account_id IN (SELECT account_id FROM bankloom.accounts)"  # which are confined too
_ITEM_OR_NONE = "({0} IS NULL OR {0} = ANY ((SELECT bankloom.confined_items())::text[]))"
_SESSION_OR_NONE = (
    "(link_session_id IS NULL OR link_session_id IN (SELECT id FROM bankloom.link_sessions))"
)
SEEN = {
    "users": "id = (SELECT bankloom.confined_user())",
    "items": OWN,
    "item_products": OF_ITEM,
    "accounts": OF_ITEM,
    "balance_snapshots": OF_ACCOUNT,
    "transactions": OWN,
    "sync_runs": OF_ITEM,
    "link_sessions": OWN,
    "exchange_claims": OWN,
    "webhook_deliveries": OF_ITEM,
    "api_keys": OWN,
    "erasures": OWN,
}
# A row of one's own must not name an Item or a session of another's either: jobs follow such names.
WRITTEN = {
    "link_sessions": f"{OWN} AND {_ITEM_OR_NONE.format('item_id')}",
    "exchange_claims": " AND ".join(
        (
            OWN,
            _ITEM_OR_NONE.format("item_id"),
            _ITEM_OR_NONE.format("duplicate_of"),
            _SESSION_OR_NONE,
        )
    ),
}


def upgrade() -> None:
    op.create_table(
        "pass_key",
        sa.Column("id", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("inner_pad", sa.LargeBinary(), nullable=False),
        sa.Column("outer_pad", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id", name=op.f("pass_key_one_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("pass_key_pkey")),
        schema="bankloom",
    )
    for function in (CONFINED_USER, CONFINED_ITEMS, HOLDS_ITEM, DEFER_UNLESS_WAITING):
        op.execute(function)
    for table, seen in SEEN.items():
        written = WRITTEN.get(table, seen)
        op.execute(f"ALTER TABLE bankloom.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY confined ON bankloom.{table} USING ({seen}) WITH CHECK ({written})"
        )
    # Written and never read: what a user's key does is noted, and not for that key.
    op.execute("ALTER TABLE bankloom.audit_entries ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY confined ON bankloom.audit_entries FOR INSERT WITH CHECK ({OWN})")
