"""What people want to be sent, or no longer, by keyed hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "preferences",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("says", sa.String(16), nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("country", sa.String(8), nullable=False),
        sa.Column("intake", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("forget_at", sa.BigInteger, nullable=False),
        sa.Column("look_at", sa.BigInteger),
    )
    op.create_index("preferences_id", "preferences", ["id"])
    op.create_index("preferences_forget_at", "preferences", ["forget_at"])
    op.create_index("preferences_look_at", "preferences", ["look_at"])


def downgrade() -> None:
    op.drop_table("preferences")
