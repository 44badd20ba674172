"""Mistakes in our own connector to Mailgun."""

from __future__ import annotations

from tests.conformance.mutants.mutant import Text
from tests.conformance.test_mailgun import world_of

MAILGUN = Text(world_of, "connectors.mailgun", "Mailgun")
WHOLE = "test_everything_planted_is_in_the_copy"
PAGES = "test_everything_is_located_across_pages"

MUTANTS = [
    MAILGUN.but(
        "wipes the whole collection",
        "connector",
        """await self._http.delete(TABLES[holding.kind].route, of=of, address=address)""",
        """route = TABLES[holding.kind].route.removesuffix("/{address}")
            await self._http.delete(route, of=of)""",
        "test_nobody_else_is_touched",
    ),
    MAILGUN.but(
        "reads one page of events",
        "events",
        """            if theirs:
                yield theirs
""",
        """            if theirs:
                yield theirs
            return
""",
        WHOLE,
    ),
    MAILGUN.but(
        "leaves out the messages that events are about",
        "events",
        "for key, name in _messages(fresh):",
        "for key, name in _messages([]):",
        WHOLE,
    ),
    MAILGUN.but(
        "says that events are gone, and they expire",
        "connector",
        "return Expires(last) if last else Erased()",
        "return Erased()",
        "test_what_is_erased_is_no_longer_located",
    ),
    MAILGUN.but(
        "takes an odd answer for an address that is not there",
        "connector",
        """row = row_of(body, f"GET {table.route}", table.address)""",
        """row = body or {}
        if table.address not in row:
            return None""",
        "test_a_route_that_fails_is_never_absence[look_again]",
    ),
    MAILGUN.but(
        "takes a domain that it may not see for one that is gone",
        "connector",
        """            of, _ = _parts(holding)
            if of in [it async for it in self._domains()]:
                raise
            return None
""",
        """            return None
        except TerminalError:
            return None
""",
        "test_a_refused_key_is_never_absence[look_again]",
    ),
    MAILGUN.but(
        "does not know that an address is written in several ways",
        "connector",
        """return row if entry.same(row[table.address], address) else None""",
        """return row if row[table.address] == address else None""",
        "test_an_address_is_found_however_the_vendor_has_it",
    ),
    MAILGUN.but(
        "forgets the allowlist",
        "connector",
        "places += [(kind, domain) for kind in (*OF_DOMAINS, EVENTS)]",
        """places += [(kind, domain) for kind in ("bounce", "unsubscribe", "complaint", EVENTS)]""",
        PAGES,
    ),
    MAILGUN.but(
        "blanks the name, and leaves what is said of a member",
        "entry",
        """{"name": Category.IDENTITY, "vars": Category.PROFILE}""",
        """{"name": Category.IDENTITY, "vars": Category.IDENTITY}""",
        "test_what_is_copied_is_of_a_category_that_is_told",
    ),
]
