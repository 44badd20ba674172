"""For whom something was erased, by keyed hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "erased",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("case_id", sa.Uuid, primary_key=True),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
        sa.Column("forget_at", sa.BigInteger, nullable=False),
    )
    op.create_index("erased_forget_at", "erased", ["forget_at"])


def downgrade() -> None:
    op.drop_table("erased")
