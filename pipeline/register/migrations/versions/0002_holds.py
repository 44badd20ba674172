"""Holds on erasing: who engaged and who lifted them; what the brake counts; whose order is due."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("system", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("engaged_by", sa.Text, nullable=False),
        sa.Column("engaged_at", sa.BigInteger, nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
    )
    op.create_table(
        "lifts",
        sa.Column("hold", sa.Uuid, primary_key=True),
        sa.Column("console", sa.String(64), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("case_id", sa.Uuid, primary_key=True),
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("holdings", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("erasures_at", "erasures", ["system", "at"])
    op.add_column("dues", sa.Column("system", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("dues") as dues:
        dues.drop_column("system")
    for table in ("erasures", "lifts", "holds"):
        op.drop_table(table)
