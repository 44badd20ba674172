"""By which keyed hashes other cases of a person are found."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "subjects",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("case_id", sa.Uuid, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("subjects_case_id", "subjects", ["case_id"])


def downgrade() -> None:
    op.drop_table("subjects")
