"""Mistakes in our own connector to Mailgun."""

from __future__ import annotations

from tests.conformance.mutants.mutant import Text
from tests.conformance.test_mailgun import world_of

MAILGUN = Text(world_of, "connectors.mailgun", "Mailgun")
WHOLE = "test_everything_planted_is_in_the_copy"
READ = "test_what_is_said_to_be_done_is_read_from_the_vendor"
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
        "places",
        """row = row_of(body, f"GET {table.route}", table.address)""",
        """row = body or {}
        if table.address not in row:
            return None""",
        "test_a_route_that_fails_is_never_absence[look_again]",
    ),
    MAILGUN.but(
        "takes a domain that it may not see for one that is gone",
        "places",
        """            of, _ = parts(holding)
            if of in [it async for it in self.domains()]:
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
        "places",
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
    MAILGUN.but(
        "stops one domain only, and looks there",
        "stopping",
        "            if domain in self._transactional:",
        '            if domain != "mail.example.com":',
        "test_an_objection_stops_all_of_it",
    ),
    MAILGUN.but(
        "forgets the lists when somebody objects",
        "stopping",
        """if row is not None and marks.is_written_to(row):""",
        """if row is not None and row.get("subscribed") == "yes":""",
        "test_an_objection_stops_all_of_it",
    ),
    MAILGUN.but(
        "stops everybody who is on a list",
        "stopping",
        """            await self._write(of, address, marks.unsubscribed(row))""",
        """            everybody = "/v3/lists/{of}/members/pages"
            for it in (await self._places.http.require(everybody, of=of)).body["items"]:
                await self._write(of, it["address"], marks.unsubscribed(it))""",
        "test_nobody_else_is_changed[object_to]",
    ),
    MAILGUN.but(
        "lifts by taking away whatever stops mail",
        "marks",
        "[it for it in _tags(row) if it != TAG]",
        "[]",
        "test_lifting_gives_back_what_was_there[False]",
    ),
    MAILGUN.but(
        "takes any opt-out for a restriction",
        "marks",
        "return TAG in _tags(row)",
        "return bool(_tags(row))",
        "test_lifting_gives_back_what_was_there[False]",
    ),
    MAILGUN.but(
        "takes its own mark for something of the person's",
        "entry",
        "TABLES[kind].fields.of(marks.bare(row))",
        "TABLES[kind].fields.of(row)",
        "test_a_mark_is_nothing_of_theirs",
    ),
    MAILGUN.but(
        "makes another kind of a member whom it restricts",
        "entry",
        """return "member" if marks.is_written_to(row) else OPTED_OUT""",
        """return OPTED_OUT if row.get("subscribed") is False else "member\"""",
        "test_a_mark_is_nothing_of_theirs",
    ),
    MAILGUN.but(
        "says that a member is lifted, and leaves them as they are",
        "stopping",
        """NeedsHuman("own_word") if lift""",
        """Restricted() if lift""",
        f"{READ}[lift]",
    ),
    MAILGUN.but(
        "empties the name when it moves the address",
        "connector",
        "new = as_form({entry.DATA[datum]: value})",
        """new = as_form({"name": "", entry.DATA[datum]: value})""",
        "test_only_what_is_named_is_corrected",
    ),
]
