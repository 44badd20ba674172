"""Find the living keys whose time is up without reading all keys."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    living = sa.text("destroyed_at IS NULL")
    op.create_index(
        "keys_destroy_at",
        "keys",
        ["destroy_at"],
        sqlite_where=living,
        postgresql_where=living,
    )


def downgrade() -> None:
    op.drop_index("keys_destroy_at", "keys")
