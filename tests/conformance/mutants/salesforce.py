"""Mistakes that a team may make with Salesforce: a bin, versions of files, an org's own fields."""

from tests.conformance.mutants.mutant import Mutant, Text
from tests.conformance.test_salesforce import world_of

SALESFORCE = Text(world_of, "connectors.salesforce", "Salesforce")
COPY = "test_everything_planted_is_in_the_copy"
GONE = "test_what_is_said_to_be_gone_is_gone_from_the_vendor[False]"
ROUTES = "test_a_route_that_fails_is_never_absence"
PAGES = "test_everything_is_located_across_pages"
KEPT = "test_what_is_kept_stays_and_the_rest_goes"
LIFTED = "test_lifting_gives_back_what_was_there[False]"
READ = "test_what_is_said_to_be_done_is_read_from_the_vendor[restrict]"

MUTANTS: list[Mutant] = [
    SALESFORCE.but(
        "takes a field that no table knows for the vendor's own",
        "schema",
        "own.categories.get(it.name, known.get(it.name) or self._guessed(it))",
        "own.categories.get(it.name, known.get(it.name))",
        "test_what_is_kept_stays_and_the_rest_goes",
    ),
    SALESFORCE.but(
        "copies the newest version of a file only",
        "files",
        "for it in row[VERSIONS]:\n            name",
        "for it in row[VERSIONS][-1:]:\n            name",
        COPY,
    ),
    SALESFORCE.but(
        "copies what a file is called, and not the file",
        "connector",
        "if holding.kind in BY_PIECES:",
        'if holding.kind == "file":',
        COPY,
    ),
    SALESFORCE.but(
        "takes any bytes for the file",
        "rest",
        "is_there and not record.more and read != size",
        "is_there and not record.more and read is None",
        f"{ROUTES}[export]",
    ),
    SALESFORCE.but(
        "looks past the recycle bin",
        "rest",
        'pages(http, "/queryAll"',
        'pages(http, "/query"',
        "test_everything_is_located_across_pages",
    ),
    SALESFORCE.but(
        "calls what lies in the bin erased",
        "recycle_bin",
        'return Expires(datetime.fromisoformat(row["SystemModstamp"]) + IN_BIN)',
        "return Erased()",
        GONE,
    ),
    SALESFORCE.but(
        "says of a whole what it would say of its parts",
        "schema",
        "always=frozenset(self.table.content)",
        "rest=min(self.table.content)",
        "test_what_is_located_was_declared",
    ),
    SALESFORCE.but(
        "believes that SOQL compares as we do",
        "org",
        "if _has(schema, row, values)",
        "if values",
        "test_an_id_in_another_case_is_somebody_elses[user_id]",
    ),
    SALESFORCE.but(
        "reads the first batch of a query",
        "rest",
        """    return None if body.get("done") is True else str(body.get("nextRecordsUrl"))
""",
        "    return None\n",
        PAGES,
    ),
    SALESFORCE.but(
        "flags an Individual that somebody else is linked to",
        "standing",
        "    if await mark.is_shared(row):\n",
        "    if lift and await mark.is_shared(row):\n",
        "test_what_others_have_a_part_in_is_not_marked_for_one",
    ),
    SALESFORCE.but(
        "writes nothing where it blanks",
        "connector",
        "        if blank and not await self._rest.update(schema.table.name, holding.id, blank):\n",
        "        if not blank and await self._row(holding) is None:\n",
        KEPT,
    ),
    SALESFORCE.but(
        "blanks what is to be kept too",
        "connector",
        "schema.fields.blanks(row, keep)",
        "schema.fields.blanks(row, frozenset())",
        KEPT,
    ),
    SALESFORCE.but(
        "looks for the cases that bear an address only",
        "search",
        """yield "case", {**self._who("case"), "ContactId": contacts}""",
        """yield "case", self._who("case")""",
        PAGES,
    ),
    SALESFORCE.but(
        "says nothing of what is gone",
        "connector",
        """        yield Page(gone=tuple(it for it in ours if not found.has(it)))
""",
        "",
        "test_a_child_is_seen_when_its_parent_is_gone",
    ),
    SALESFORCE.but(
        "leaves its sockets open",
        "rest",
        """        if self._http is not None:
            await self._http.__aexit__()
""",
        "",
        "test_sockets_are_closed_at_the_end",
    ),
    SALESFORCE.but(
        "leaves the Individual that it made",
        "marks",
        "        await self._individuals.remove(row[LINK])\n",
        "",
        LIFTED,
    ),
    SALESFORCE.but(
        "says of a comment that it is marked, whatever its contact is",
        "standing",
        'return NotSupported("follows")',
        "return Restricted()",
        READ,
    ),
    SALESFORCE.but(
        "opts out of mail, and goes on calling",
        "objection",
        "it for it in OPT_OUTS if",
        "it for it in OPT_OUTS[:1] if",
        "test_an_objection_stops_all_of_it",
    ),
    SALESFORCE.but(
        "writes a whole name into the last one",
        "details",
        'parts = _parts(schema, row, value, data) if name == "Name" else {name: value}',
        'parts = {"LastName" if name == "Name" else name: value}',
        "test_only_what_is_named_is_corrected",
    ),
]
