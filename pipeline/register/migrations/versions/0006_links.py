"""Links in mails: which address of which case each confirms, by the digest of its token."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.Column("tag", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("links_case_id", "links", ["case_id"])
    op.create_index("links_expires_at", "links", ["expires_at"])


def downgrade() -> None:
    op.drop_table("links")
