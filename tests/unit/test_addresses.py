"""Credentials go to https, to this machine, and from a login to servers of the same vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from connectors.freshdesk import Freshdesk
from connectors.sdk import registry
from connectors.sdk.addresses import Address, is_private, is_same_vendor
from connectors.sdk.ceilings import Ceilings
from connectors.sdk.http import Http
from connectors.sdk.interface import Limit
from connectors.sdk.registry import SettingsError
from connectors.stripe import Stripe
from pipeline import app
from pipeline.settings import Settings
from tests.fakes.acme import Acme

VALUE = "sk_live_value"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.stripe.com",
        "HTTPS://API.Stripe.com:8443/v1/",
        "https://10.0.0.1",
        "https://[2001:db8::1]:443/a",
        "https://xn--bcher-kva.example",
        "http://127.0.0.1:8080",
        "http://127.3.2.1",
        "http://localhost:1",
        "http://[::1]:8",
    ],
)
def test_https_and_this_machine_are_private(url: str) -> None:
    assert is_private(url)


PUBLIC = [
    "",
    "api.stripe.com",
    "//api.stripe.com",
    "http://api.stripe.com",
    "http://10.0.0.1",
    "http://0.0.0.0:80",
    "http://[::]:80",
    "http://[fe80::1]",
    "http://localhost.example.org",
    "http://127.0.0.1.example.org",
    "http://2130706433",
    "ftp://api.stripe.com",
    "https://",
    "https:///v1",
    "https://user@api.stripe.com",
    "https://user:word@api.stripe.com",
    "http://localhost@api.stripe.com",
    "http://api.stripe.com#@127.0.0.1",
    "http://127.0.0.1\\@api.stripe.com",
    "https://api.stripe.com\\@127.0.0.1",
    "https://api.stripe.com.",
    "https://api..stripe.com",
    "https://api.stripe.com?a=b",
    "https://api.stripe.com#a",
    "https://api.stripe.com:0",
    "https://api.stripe.com:99999",
    "https://api.stripe.com:",
    "https://api.stripe.com/a b",
    " https://api.stripe.com",
    "https://api.stripe.com\n",
    "https://api.str\tipe.com",
    "https://b\u00fccher.example",
    "https://api\u3002stripe.com",
    "https://\u0430pi.stripe.com",
    "http://\uff4cocalhost",
    "http://[::1",
    "http://[::1%25eth0]",
]


@pytest.mark.parametrize("url", PUBLIC, ids=range(len(PUBLIC)))
def test_anything_else_is_not(url: str) -> None:
    assert not is_private(url)


def environ_of(system: str, url: str) -> dict[str, str]:
    """Everything that a connector of ours needs."""
    given = {
        "aws": {"region": "eu", "prefixes": "f/{email}/", "access_key_id": VALUE},
        "freshdesk": {"api_key": VALUE},
        "mailgun": {"api_key": VALUE},
        "salesforce": {"client_id": VALUE, "client_secret": VALUE},
        "stripe": {"api_key": VALUE},
    }[system] | {"url": url}
    return {registry.variable(system, name): value for name, value in given.items()}


@pytest.mark.parametrize("system", ["aws", "freshdesk", "mailgun", "salesforce", "stripe"])
@pytest.mark.parametrize("url", ["http://vendor.example", "https://u:p@vendor.example", " "])
def test_no_system_starts_with_another_address(system: str, url: str) -> None:
    environ = environ_of(system, url)
    with pytest.raises(SettingsError, match=f"^HABEAS_{system.upper()}_URL is neither") as caught:
        registry.connect(system, environ)
    assert not [it for it in environ.values() if it in str(caught.value) and it.strip()]
    with pytest.raises(app.SetupError, match=f"HABEAS_{system.upper()}_URL is neither"):
        app.check_environment(Settings(systems=system), environ)


class TwoAddresses(Acme):
    """Signs in elsewhere."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Acme.Settings):
        token_url: str = ""


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"TOKEN_URL": "http://id.example"}, "HABEAS_ACME_TOKEN_URL is neither"),
        ({"URL": ""}, "HABEAS_ACME_URL is neither"),
        ({"URL": "http://acme-sandbox:8080"}, "HABEAS_ACME_URL is neither"),
    ],
)
def test_every_address_of_a_foreign_connector_is_looked_at(
    given: Mapping[str, str], says: str
) -> None:
    environ = {"URL": "https://acme.example", "KEY": "k", **given}
    with pytest.raises(SettingsError, match=says):
        registry.settings_of(TwoAddresses, {f"HABEAS_ACME_{k}": v for k, v in environ.items()})


def test_one_that_may_be_empty_may_stay_so() -> None:
    environ = {"HABEAS_ACME_URL": "https://acme.example", "HABEAS_ACME_KEY": "k"}
    assert registry.settings_of(TwoAddresses, environ | {"HABEAS_ACME_TOKEN_URL": ""})


LOGIN = "https://acme.my.salesforce.com"
DOMAINS = ("salesforce.com", "salesforce.mil")


@pytest.mark.parametrize(
    ("login", "url"),
    [
        (LOGIN, LOGIN),
        (LOGIN, "https://ACME.my.salesforce.com:443/"),
        (LOGIN, "https://na139.salesforce.com"),
        ("https://login.salesforce.com", LOGIN),
        ("https://id.other.example:8443", "https://id.other.example:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:81", "http://[::1]:81"),
    ],
)
def test_a_login_may_lead_to_servers_of_its_own_vendor(login: str, url: str) -> None:
    assert is_same_vendor(url, login=login, domains=DOMAINS)


ELSEWHERE = [
    (LOGIN, "http://acme.my.salesforce.com"),
    (LOGIN, "https://acme.my.salesforce.com:8443"),
    (LOGIN, "https://evil-salesforce.com"),
    (LOGIN, "https://salesforce.com.evil.example"),
    (LOGIN, "https://acme.my.salesforce.com.evil.example"),
    (LOGIN, "https://acme.my.salesforce.com@evil.example"),
    (LOGIN, "https://evil.example\\@acme.my.salesforce.com"),
    (LOGIN, "https://evil.example/acme.my.salesforce.com"),
    (LOGIN, "https://evil.example#.salesforce.com"),
    (LOGIN, "https://evil.example?.salesforce.com"),
    (LOGIN, "https://acme.my.salesforce.com."),
    (LOGIN, "https://acme.my.salesforce\u3002com"),
    (LOGIN, "https://acme.my.s\u0430lesforce.com"),
    (LOGIN, "https://acme.my.salesforce.com/elsewhere"),
    (LOGIN, "https://acme.my.salesforce.mil"),
    (LOGIN, "https://127.0.0.1"),
    (LOGIN, "http://localhost"),
    (LOGIN, ""),
    ("https://id.acme.co.uk", "https://evil.co.uk"),
    ("https://id.other.example", "https://data.other.example"),
    ("https://id.other.example", "https://acme.salesforce.com"),
    ("http://127.0.0.1:80", "http://127.0.0.1:81"),
    ("http://127.0.0.1:80", "http://127.0.0.2:80"),
    ("http://127.0.0.1:443", "https://acme.my.salesforce.com"),
    ("http://salesforce.com", "http://salesforce.com"),
]


@pytest.mark.parametrize(("login", "url"), ELSEWHERE, ids=range(len(ELSEWHERE)))
def test_and_to_nobody_else(login: str, url: str) -> None:
    assert not is_same_vendor(url, login=login, domains=DOMAINS)


def test_an_address_is_read_as_a_browser_writes_it() -> None:
    read = Address.read("HTTPS://[2001:DB8::1]/A")
    assert read == Address(scheme="https", host="2001:db8::1", port=443, path="/A")


# Ceilings are settings too.


def test_a_connectors_ceilings_are_settings() -> None:
    environ = environ_of("stripe", "https://api.stripe.com") | {
        "HABEAS_STRIPE_ANSWER_BYTES": "1000",
        "HABEAS_STRIPE_ANSWER_DEPTH": "10",
        "HABEAS_STRIPE_ANSWER_SECONDS": "7",
    }
    made = registry.settings_of(Stripe, environ)
    assert (made.answer_bytes, made.answer_depth, made.answer_seconds) == (1000, 10, 7)


@pytest.mark.parametrize("system", registry.systems())
def test_every_system_of_ours_has_them(system: str) -> None:
    if system in {"aws", "freshdesk", "mailgun", "salesforce", "stripe"}:
        made = registry.settings_of(registry.connector(system), environ_of(system, "https://x.y"))
        assert isinstance(made, Ceilings)


@pytest.mark.parametrize("name", ["BYTES", "DEPTH", "SECONDS"])
def test_no_ceiling_is_none(name: str) -> None:
    environ = environ_of("stripe", "https://x.y") | {f"HABEAS_STRIPE_ANSWER_{name}": "0"}
    with pytest.raises(SettingsError, match=f"^HABEAS_STRIPE_ANSWER_{name} is not 1 or more$"):
        registry.settings_of(Stripe, environ)


async def test_without_settings_there_are_ceilings_all_the_same() -> None:
    async with Http("http://127.0.0.1:9") as http:
        assert http._ceilings == Ceilings()


# An account's limits are settings of those connectors that have them.


PUBLISHED = Freshdesk.capabilities.limits
CONTACTS = "GET /api/v2/contacts"


def planned(limits: str) -> tuple[Limit, ...]:
    environ = environ_of("freshdesk", "https://x.y") | {"HABEAS_FRESHDESK_LIMITS": limits}
    return registry.build(Freshdesk, environ).capabilities.limits


def test_an_account_may_have_limits_of_its_own() -> None:
    minute = timedelta(minutes=1)
    given = planned(f"400/60s, 20/60s {CONTACTS}")
    assert given[:2] == (Limit(calls=400, per=minute), Limit(calls=20, per=minute, route=CONTACTS))
    assert {it.route for it in given} == {it.route for it in PUBLISHED}
    assert planned("") == Freshdesk.capabilities.limits == PUBLISHED


@pytest.mark.parametrize(
    "limits", ["700", "0/60s", "700/60", "700/0s", "-1/1s", "many/1s", "20/60s GET /contacts"]
)
def test_a_limit_that_cannot_be_read_or_is_of_no_route_refuses_to_start(limits: str) -> None:
    with pytest.raises(SettingsError, match=r"^HABEAS_FRESHDESK_LIMITS: "):
        planned(limits)
