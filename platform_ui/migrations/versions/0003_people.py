"""Roles, invitations, sessions, second factors and tokens of people."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Change the tables."""
    _people()
    _sessions()
    _attempts()
    _second_factors()
    _tokens()
    _roles("company_admins", "company_members", "company_id", "companies", ("owner", "admin", "member"))
    _roles("system_agents", "system_members", "system_id", "systems", ("agent", "viewer"))
    op.execute(
        "UPDATE company_members SET role = 'owner' FROM companies "
        "WHERE companies.id = company_id AND companies.created_by = user_id"
    )
    # A company whose creator has left is owned by those who look after it.
    op.execute(
        "UPDATE company_members AS m SET role = 'owner' WHERE NOT EXISTS "
        "(SELECT 1 FROM company_members AS o WHERE o.company_id = m.company_id AND o.role = 'owner')"
    )
    _invitations()


def _people() -> None:
    op.add_column("users", sa.Column("disabled_at", _TIME, nullable=True))
    op.add_column("users", sa.Column("email_verified_at", _TIME, nullable=True))
    op.add_column(
        "companies",
        sa.Column("requires_second_factor", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.alter_column("companies", "requires_second_factor", server_default=None)


def _sessions() -> None:
    op.execute("DELETE FROM user_sessions")  # nobody knows where they were opened
    for column in (
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("authenticated_at", _TIME, nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("waits_for_code", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
    ):
        op.add_column("user_sessions", column)
    op.create_unique_constraint(op.f("uq_user_sessions_id"), "user_sessions", ["id"])


def _attempts() -> None:
    op.drop_index("ix_failed_logins_email_at", table_name="failed_logins")
    op.drop_table("failed_logins")
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(254), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_at"), "attempts", ["at"])
    op.create_index("ix_attempts_action_subject_at", "attempts", ["action", "subject", "at"])
    op.create_index("ix_attempts_action_address_at", "attempts", ["action", "address", "at"])


def _person(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_user_id")
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name, ondelete="CASCADE")


def _second_factors() -> None:
    op.create_table(
        "second_factors",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("confirmed_at", _TIME, nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _person("second_factors"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        _person("recovery_codes"),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_user_id"), "recovery_codes", ["user_id"])


def _tokens() -> None:
    op.create_table(
        "password_resets",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("by_mail", sa.Boolean(), nullable=False),
        _person("password_resets"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_password_resets")),
    )
    op.create_index(op.f("ix_password_resets_user_id"), "password_resets", ["user_id"])
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("scope", sa.String(10), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("within", sa.String(150), nullable=False),
        sa.Column("family", sa.Uuid(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME, nullable=True),
        sa.Column("replaced_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "kind IN ('personal', 'access', 'refresh')", name=op.f("ck_api_tokens_kind_known")
        ),
        sa.CheckConstraint("scope IN ('read', 'write')", name=op.f("ck_api_tokens_scope_known")),
        _person("api_tokens"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    for column in ("user_id", "family", "expires_at"):
        op.create_index(op.f(f"ix_api_tokens_{column}"), "api_tokens", [column])


def _roles(old: str, new: str, owner: str, owners: str, roles: tuple[str, ...]) -> None:
    """Rename a table of members with all its constraints, and give everybody in it a role.

    Who was there could change everything, so an agent stays an agent and an admin an admin.
    """
    op.rename_table(old, new)
    op.execute(f"ALTER INDEX ix_{old}_user_id RENAME TO ix_{new}_user_id")
    op.execute(f"ALTER INDEX pk_{old} RENAME TO pk_{new}")
    for column in ("added_by", owner, "user_id"):
        op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT fk_{old}_{column} TO fk_{new}_{column}")
    present = "admin" if owners == "companies" else "agent"
    op.add_column(new, sa.Column("role", sa.String(10), nullable=False, server_default=present))
    op.alter_column(new, "role", server_default=None)
    known = ", ".join(f"'{role}'" for role in roles)
    op.create_check_constraint(op.f(f"ck_{new}_role_known"), new, f"role IN ({known})")


def _invitations() -> None:
    keys = [
        sa.ForeignKeyConstraint(
            [column], [f"{table}.id"], name=op.f(f"fk_invitations_{column}"), ondelete=what
        )
        for column, table, what in (
            ("company_id", "companies", "CASCADE"),
            ("system_id", "systems", "CASCADE"),
            ("created_by", "users", "RESTRICT"),
        )
    ]
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("system_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("by_mail", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.CheckConstraint(
            "(company_id IS NULL) <> (system_id IS NULL)", name=op.f("ck_invitations_into_one")
        ),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_invitations_email_lower")),
        *keys,
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    for column in ("email", "company_id", "system_id"):
        op.create_index(op.f(f"ix_invitations_{column}"), "invitations", [column])
