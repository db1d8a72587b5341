"""The chain of the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Canonical JSON (RFC 8785): keys in order, no blanks; the values of entries hold no fractions.
CANONICAL = """
CREATE FUNCTION audit_canonical(value jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE jsonb_typeof(value)
    WHEN 'object' THEN
        RETURN '{' || coalesce((
            SELECT string_agg(to_json(k)::text || ':' || audit_canonical(v), ',' ORDER BY k COLLATE "C")
            FROM jsonb_each(value) AS pair (k, v)
        ), '') || '}';
    WHEN 'array' THEN
        RETURN '[' || coalesce((
            SELECT string_agg(audit_canonical(v), ',' ORDER BY place)
            FROM jsonb_array_elements(value) WITH ORDINALITY AS one (v, place)
        ), '') || ']';
    ELSE
        RETURN value::text;
    END CASE;
END $$
"""

# The names are those of the columns, without the hash itself.
HASH = """
CREATE FUNCTION audit_hash(entry audit_entries) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(audit_canonical(jsonb_build_object(
        'id', entry.id,
        'at', to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'user_id', entry.user_id,
        'user_email', entry.user_email,
        'actor_kind', entry.actor_kind,
        'action', entry.action,
        'object_name', entry.object_name,
        'detail', entry.detail,
        'before', entry.before,
        'after', entry.after,
        'address', entry.address,
        'request_id', entry.request_id,
        'position', entry.position,
        'previous_hash', entry.previous_hash
    )), 'UTF8')), 'hex')
$$
"""

# The lock is taken when everything else of the transaction is done: nobody can wait for its holder crosswise.
LINK = """
CREATE FUNCTION audit_link(entry_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    entry audit_entries;
    head audit_entries;
BEGIN
    PERFORM pg_advisory_xact_lock(190820);
    SELECT * INTO STRICT entry FROM audit_entries WHERE id = entry_id;
    SELECT * INTO head FROM audit_entries WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1;
    entry.position := coalesce(head.position, 0) + 1;
    entry.previous_hash := coalesce(head.hash, repeat('0', 64));
    UPDATE audit_entries
        SET position = entry.position, previous_hash = entry.previous_hash, hash = audit_hash(entry)
        WHERE id = entry_id;
END $$
"""

CHAIN = """
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audit_link(NEW.id);
    RETURN NULL;
END $$
"""

START = """
CREATE FUNCTION audit_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.position := NULL;
    NEW.previous_hash := NULL;
    NEW.hash := NULL;
    RETURN NEW;
END $$
"""

# The one change that is allowed: an entry without a place in the chain gets one, and nothing else with it.
KEEP = """
CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted audit_entries;
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_entries' THEN
        wanted := OLD;
        IF OLD.position IS NULL THEN
            wanted.position := NEW.position;
            wanted.previous_hash := NEW.previous_hash;
            wanted.hash := audit_hash(wanted);
            IF NEW IS NOT DISTINCT FROM wanted THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is only added to: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""

TRIGGERS = """
CREATE TRIGGER audit_start BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION audit_start();
CREATE CONSTRAINT TRIGGER audit_chain AFTER INSERT ON audit_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_chain();
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_keep();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_keep();
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_seals FOR EACH ROW EXECUTE FUNCTION audit_keep();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_keep();
"""


def upgrade() -> None:
    _change_tables()
    for statement in (CANONICAL, HASH, LINK, CHAIN, START, KEEP):
        op.execute(statement)
    # What was written before gets its place in the order in which it was written, and is not sent any more.
    op.execute("SELECT audit_link(id) FROM (SELECT id FROM audit_entries ORDER BY id) AS entry")
    op.execute("INSERT INTO audit_readers SELECT 'log', coalesce(max(position), 0) FROM audit_entries")
    for statement in TRIGGERS.split(";\n"):
        if statement.strip():
            op.execute(statement)


def _change_tables() -> None:
    # Rows are never changed, so a person that is removed must stay in them.
    op.drop_constraint("fk_audit_entries_user_id", "audit_entries", type_="foreignkey")
    kind = sa.Column("actor_kind", sa.String(length=10), server_default="person", nullable=False)
    op.add_column("audit_entries", kind)
    op.add_column("audit_entries", sa.Column("before", postgresql.JSONB(none_as_null=True), nullable=True))
    op.add_column("audit_entries", sa.Column("after", postgresql.JSONB(none_as_null=True), nullable=True))
    op.add_column("audit_entries", sa.Column("address", sa.String(length=64), nullable=True))
    op.add_column("audit_entries", sa.Column("request_id", sa.Uuid(), nullable=True))
    op.add_column("audit_entries", sa.Column("position", sa.BigInteger(), nullable=True))
    op.add_column("audit_entries", sa.Column("previous_hash", sa.String(length=64), nullable=True))
    op.add_column("audit_entries", sa.Column("hash", sa.String(length=64), nullable=True))
    op.create_unique_constraint("uq_audit_entries_position", "audit_entries", ["position"])
    op.create_index("ix_audit_entries_user_id", "audit_entries", ["user_id"])
    op.create_table(
        "audit_seals",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("previous_signature", sa.String(length=128), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit_seals"),
    )
    op.create_table(
        "audit_readers",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_audit_readers"),
    )


def downgrade() -> None:
    for table in ("audit_entries", "audit_seals"):
        for trigger in ("audit_keep", "audit_keep_all", "audit_start", "audit_chain"):
            op.execute(f"DROP TRIGGER IF EXISTS {trigger} ON {table}")
    for function in (
        "keep()",
        "start()",
        "chain()",
        "link(bigint)",
        "hash(audit_entries)",
        "canonical(jsonb)",
    ):
        op.execute(f"DROP FUNCTION audit_{function}")
    op.drop_table("audit_readers")
    op.drop_table("audit_seals")
    op.drop_index("ix_audit_entries_user_id", "audit_entries")
    op.drop_constraint("uq_audit_entries_position", "audit_entries", type_="unique")
    for column in ("hash", "previous_hash", "position", "request_id", "address", "after", "before"):
        op.drop_column("audit_entries", column)
    op.drop_column("audit_entries", "actor_kind")
