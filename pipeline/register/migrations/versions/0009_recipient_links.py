"""Links by which a recipient acknowledges an instruction, beside those that confirm an address."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for name, length in (("recipient", 64), ("right", 32)):
        column = sa.Column(name, sa.String(length), nullable=False, server_default="")
        op.add_column("links", column)


def downgrade() -> None:
    for name in ("right", "recipient"):
        op.drop_column("links", name)
