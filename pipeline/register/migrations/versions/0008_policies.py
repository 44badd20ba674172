"""The policies that cases were opened under, with their files."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("policies")
