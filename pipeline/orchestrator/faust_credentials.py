"""What Faust needs to be let in by a broker: beside it, since loading Faust is slow."""

from __future__ import annotations

from faust import SASLCredentials, SSLCredentials
from faust.auth import Credentials

from pipeline.kafka.connection import Broker


def credentials(bootstrap: str) -> Credentials | None:
    """As `connection.client`, for Faust; None is plaintext."""
    security = bootstrap.security if isinstance(bootstrap, Broker) else {}
    context = security.get("ssl_context")
    if "sasl_mechanism" in security:
        return SASLCredentials(
            username=security["sasl_plain_username"],
            password=security["sasl_plain_password"],
            mechanism=security["sasl_mechanism"],
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None
