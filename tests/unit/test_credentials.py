"""A credential belongs to its address: live beside the vendor's own, a test's beside a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from connectors.sdk import registry
from connectors.sdk.registry import SettingsError, is_sandbox
from pipeline import app
from pipeline.settings import Settings

HERE, REAL = "http://127.0.0.1:8080", "https://api.stripe.com"
FRESHDESK = "https://acme.freshdesk.com"


def stripe(key: str, url: str = "") -> dict[str, str]:
    where = {"HABEAS_STRIPE_URL": url} if url else {}
    return {"HABEAS_STRIPE_API_KEY": key, **where}


def freshdesk(key: str, url: str) -> dict[str, str]:
    return {"HABEAS_FRESHDESK_API_KEY": key, "HABEAS_FRESHDESK_URL": url}


@pytest.mark.parametrize(
    ("system", "environ", "says"),
    [
        ("stripe", stripe("sk_live_abc", HERE), "HABEAS_STRIPE_API_KEY is live"),
        ("stripe", stripe("rk_live_abc", "http://localhost:1"), "HABEAS_STRIPE_API_KEY is live"),
        ("stripe", stripe("rk_live_abc", "http://[::1]:1"), "HABEAS_STRIPE_API_KEY is live"),
        ("stripe", stripe("sk_test_abc"), "HABEAS_STRIPE_API_KEY is for tests"),
        ("stripe", stripe("rk_test_abc", REAL), "HABEAS_STRIPE_API_KEY is for tests"),
        ("stripe", stripe("sandbox-stripe-key", REAL), "HABEAS_STRIPE_API_KEY is for tests"),
        ("freshdesk", freshdesk("sandbox-freshdesk-key", FRESHDESK), "HABEAS_FRESHDESK_API_KEY"),
    ],
)
def test_a_credential_beside_the_wrong_address_is_refused(
    system: str, environ: Mapping[str, str], says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        registry.connect(system, environ)
    assert not [it for it in environ.values() if it in str(caught.value)]
    with pytest.raises(app.SetupError, match=says):
        app.check_environment(Settings(systems=system), environ)


@pytest.mark.parametrize(
    ("system", "environ"),
    [
        ("stripe", stripe("sk_live_abc")),
        ("stripe", stripe("sk_live_abc", REAL)),
        ("stripe", stripe("sk_test_abc", HERE)),
        ("stripe", stripe("sandbox-stripe-key", "http://localhost:8080")),
        ("freshdesk", freshdesk("anything", FRESHDESK)),
        ("freshdesk", freshdesk("sandbox-freshdesk-key", HERE)),
    ],
)
def test_one_beside_its_own_address_is_taken(system: str, environ: Mapping[str, str]) -> None:
    assert registry.settings_of(registry.connector(system), environ)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:5", True),
        ("http://127.3.2.1", True),
        ("https://localhost", True),
        ("http://[::1]:8", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("https://localhost@api.stripe.com", False),
        ("http://10.0.0.1", False),
        ("http://[::1", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_only_this_machine_is_a_sandbox(url: str, *, here: bool) -> None:
    assert is_sandbox("stripe", {"HABEAS_STRIPE_URL": url}) == here


BOTH = Settings(systems="freshdesk,stripe")


@pytest.mark.parametrize(
    ("mode", "environ", "observes"),
    [
        ("", {**freshdesk("k", HERE), **stripe("k", HERE)}, False),
        ("", {**freshdesk("k", HERE), **stripe("k", REAL)}, True),
        ("", {**freshdesk("k", HERE), **stripe("k")}, True),
        ("", {}, True),  # an orchestrator that knows no address
        ("act", {}, False),
        ("observe", {**freshdesk("k", HERE), **stripe("k", HERE)}, True),
    ],
)
def test_nothing_is_erased_unless_told_so_or_all_are_sandboxes(
    mode: str, environ: Mapping[str, str], *, observes: bool
) -> None:
    assert app.observes(replace(BOTH, mode=mode), environ) == observes


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(app.SetupError, match="HABEAS_MODE is 'Act': it is `observe` or `act`"):
        app.observes(replace(BOTH, mode="Act"), {})


@pytest.mark.parametrize("system", registry.systems())
def test_no_prefix_is_of_both_kinds(system: str) -> None:
    known = registry.connector(system).capabilities.credentials
    every = sorted((*known.live, *known.test, registry.SANDBOX_KEY))
    assert not [(a, b) for a, b in pairwise(every) if b.startswith(a)]


def test_a_clock_set_ahead_beside_a_real_vendor_refuses_to_start() -> None:
    environ = {"HABEAS_FRESHDESK_URL": "https://bizxpert.freshdesk.com"}
    environ["HABEAS_FRESHDESK_API_KEY"] = "key"
    settings = Settings(systems="freshdesk", clock_ahead=timedelta(days=365))
    with pytest.raises(app.SetupError, match="HABEAS_CLOCK_AHEAD"):
        app.check_environment(settings, environ)
