"""Whom the vendors hold in the spec tests' stories, all invented."""

from __future__ import annotations

from dataclasses import dataclass

from .world import World

ANN = "ann@example.org"
BOB = "bob@example.org"


@dataclass(frozen=True, slots=True)
class Customer:
    """The keys of a customer's objects at their vendors."""

    contact: str
    ticket: str
    record: str
    payer: str
    charge: str
    member: str


def customer(world: World, email: str = ANN, name: str = "Ann Example") -> Customer:
    """Somebody who bought, wrote to support, and has the newsletter."""
    contact = world.holds("freshdesk", "contact", name=name, email=email, phone="+44 7700 900118")
    payer = world.holds(
        "stripe",
        "customer",
        name=name,
        email=email,
        description="Asked for a discount in May.",
        address={"line1": "4 Quay Street", "city": "Leeds", "country": "GB"},
        created="2022-03-04",
    )
    paid = {"customer": payer.partition("/")[2], "created": "2025-03-04"}
    world.holds("stripe", "subscription", **paid, status="canceled", description="Team")
    world.holds("stripe", "invoice", **paid, customer_name=name, customer_email=email)
    return Customer(
        contact=contact,
        ticket=ticket(world, contact),
        record=world.holds(
            "salesforce",
            "contact",
            FirstName="Ann",
            LastName="Example",
            Email=email,
            Title="Managing director",
            Marketing_Interests__c="Benchmarks;Events",
            Description="Plays the cello.",
        ),
        payer=payer,
        charge=world.holds("stripe", "charge", **paid, receipt_email=email),
        member=world.holds(
            "mailgun", "member", list="news@lists.example.com", address=email, name=name
        ),
    )


def lead(world: World, email: str = ANN, name: str = "Example") -> str:
    """Somebody who asked for a demonstration and never bought."""
    return world.holds("salesforce", "lead", LastName=name, Email=email, Company="Example Ltd")


def ticket(world: World, contact: str, subject: str = "How do I export?") -> str:
    """A question to support."""
    return world.holds(
        "freshdesk",
        "ticket",
        requester_id=int(contact.partition("/")[2]),
        subject=subject,
        description_text="The export stops at row 10 000.",
        conversations=[
            {"body_text": "Which browser do you use?", "incoming": False},
            "Firefox. There is no hurry.",
        ],
    )
