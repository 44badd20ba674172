"""Servers that demand proof: certificates of a test's own, and a Kafka that asks who is there.

It takes a certificate and a password of everybody; nobody may do what no ACL permits, except the
administrator.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from secrets import token_hex
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pipeline import flow
from pipeline.kafka import connection, local_kafka
from pipeline.kafka.connection import Broker
from pipeline.settings import Settings
from tests.rig import Rig, Role

ADMIN = "admin"
HERE = (x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost"))
MODULES = "org.apache.kafka.common.security"
SCRAM = f"{MODULES}.scram.ScramLoginModule required"
PLAIN = f"{MODULES}.plain.PlainLoginModule required"
DAY = timedelta(days=1)


@dataclass
class Authority:
    """Signs certificates, and writes them to a folder as PEM."""

    folder: Path
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))

    @cached_property
    def certificate(self) -> x509.Certificate:
        return self._signed("test authority", self.key, x509.BasicConstraints(True, 0))  # noqa: FBT003

    @cached_property
    def file(self) -> Path:
        """What proves everybody that it signed."""
        return self._write("ca.pem", self.certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str, *, names: tuple[x509.GeneralName, ...] = HERE) -> tuple[Path, Path]:
        """The files of a new certificate and of its key."""
        key = generate_private_key(SECP256R1())
        signed = self._signed(name, key, x509.SubjectAlternativeName(names))
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate = signed.public_bytes(Encoding.PEM)
        return self._write(f"{name}.pem", certificate), self._write(f"{name}.key", secret)

    def _signed(
        self, name: str, key: EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(
            issuer_name=_named("test authority"),
            subject_name=_named(name),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - DAY,
            not_valid_after=now + DAY,
        )
        for it in extensions:
            made = made.add_extension(it, critical=False)
        return made.sign(self.key, hashes.SHA256())

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        return path


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass
class SecureKafka:
    """A broker that demands TLS and a password of each of its users, and keeps to its ACLs."""

    folder: Path
    users: tuple[str, ...]
    kafka: local_kafka.LocalKafka = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self.authority = Authority(self.folder)
        self.certificate = self.authority.issue("client")
        self.passwords = {it: token_hex(12) for it in (ADMIN, *self.users)}

    async def start(self, port: int | None = None) -> Self:
        context = ssl.create_default_context(cafile=self.authority.file)
        context.load_cert_chain(*self.certificate)
        demands = local_kafka.Demands(
            properties=self._properties(),
            users=self.passwords,
            security={
                "security_protocol": "SASL_SSL",
                "ssl_context": context,
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": ADMIN,
                "sasl_plain_password": self.passwords[ADMIN],
            },
        )
        self.kafka = await local_kafka.start(self.folder / "kafka", port=port, demands=demands)
        return self

    def environ(self, user: str) -> dict[str, str]:
        """The `HABEAS_KAFKA_*` of somebody who comes in by password."""
        file = self.folder / f"{user}.password"
        file.touch(mode=0o600)
        file.write_text(self.passwords[user] + "\n")
        return {
            "HABEAS_BROKER": str(self.kafka.bootstrap),
            "HABEAS_KAFKA_SECURITY": "sasl_ssl",
            "HABEAS_KAFKA_CA": str(self.authority.file),
            "HABEAS_KAFKA_CERT": str(self.certificate[0]),
            "HABEAS_KAFKA_KEY": str(self.certificate[1]),
            "HABEAS_KAFKA_USER": user,
            "HABEAS_KAFKA_PASSWORD_FILE": str(file),
        }

    def settings(self, user: str, settings: Settings | None = None) -> Settings:
        """The same as settings."""
        return replace(
            settings or Settings(),
            broker=str(self.kafka.bootstrap),
            kafka_security="sasl_ssl",
            kafka_ca=str(self.authority.file),
            kafka_cert=str(self.certificate[0]),
            kafka_key=str(self.certificate[1]),
            kafka_user=user,
            kafka_password_file=self.environ(user)["HABEAS_KAFKA_PASSWORD_FILE"],
        )

    def broker(self, user: str) -> Broker:
        return connection.of(self.settings(user))

    def librdkafka(self, user: str) -> dict[str, Any]:
        """How another client than ours comes in."""
        return {
            "bootstrap.servers": str(self.kafka.bootstrap),
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.authority.file),
            "ssl.certificate.location": str(self.certificate[0]),
            "ssl.key.location": str(self.certificate[1]),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self.passwords[user],
        }

    def _properties(self) -> Mapping[str, str]:
        certificate, key = self.authority.issue("broker")
        store = self.folder / "broker-store.pem"
        store.write_bytes(key.read_bytes() + certificate.read_bytes())
        word = f'"{self.passwords[ADMIN]}"'
        scram = f'{SCRAM} username="{ADMIN}" password={word};'
        return {
            "listener.security.protocol.map": "BROKER:SASL_SSL,CONTROLLER:PLAINTEXT",
            "listener.name.broker.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.broker.plain.sasl.jaas.config": f"{PLAIN} user_{ADMIN}={word};",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.broker.scram-sha-256.sasl.jaas.config": scram,
            "listener.name.broker.scram-sha-512.sasl.jaas.config": scram,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # Only the controller's own door, on the loopback, lets somebody in without a name.
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
        }


@dataclass
class SecureRig(Rig):
    """A whole pipeline on a `SecureKafka`, each process under the principal of its role."""

    secure: SecureKafka = field(init=False)
    users: tuple[str, ...] = ()

    def as_role(self, role: str) -> dict[str, str]:
        return self.secure.environ(f"habeas.{role}")

    def run(self, *arguments: str, **environ: str) -> Role:
        """As `Rig.run`; `run host freshdesk` is the principal `habeas.host.freshdesk`."""
        _, *role = arguments
        named = ".".join(role if role[0] not in flow.OURS else ("host", *role))
        return super().run(*arguments, **self.as_role(named), **environ)

    async def _start_kafka(self, port: int | None = None) -> local_kafka.LocalKafka:
        if port is None:
            self.secure = SecureKafka(self.folder / "secure", self.users)
        return (await self.secure.start(port)).kafka
