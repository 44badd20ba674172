"""Wrapping keys turn: since when no living case key is under one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "wrapping_keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("left_at", sa.BigInteger, nullable=False),
    )
    op.create_index("keys_wrapping", "keys", ["wrapping"])


def downgrade() -> None:
    op.drop_index("keys_wrapping", "keys")
    op.drop_table("wrapping_keys")
