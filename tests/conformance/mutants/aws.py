"""Mistakes in our own connector to AWS."""

from __future__ import annotations

from tests.conformance.mutants.mutant import Text
from tests.conformance.test_aws import world_of

AWS = Text(world_of, "connectors.aws", "Aws")
PAGES = "test_everything_is_located_across_pages"
GONE = "test_what_is_said_to_be_gone_is_gone_from_the_vendor[False]"
LIFTED = "test_lifting_gives_back_what_was_there[False]"

MUTANTS = [
    AWS.but(
        "deletes without a version, which only hides",
        "connector",
        """{"Key": place.key, "VersionId": place.mark}""",
        """{"Key": place.key}""",
        GONE,
    ),
    AWS.but(
        "does not list what is not finished",
        "files",
        "for operation in (UPLOADS, VERSIONS):",
        "for operation in (VERSIONS,):",
        PAGES,
    ),
    AWS.but(
        "believes whatever a gateway lists",
        "files",
        "listed = [it for it in _listed(bucket, page) if it[1].key.startswith(prefix)]",
        "listed = list(_listed(bucket, page))",
        "test_a_filter_that_is_ignored_finds_nobody_else",
    ),
    AWS.but(
        "says that a file under a hold is gone",
        "connector",
        """        if kind == "object":
            return _locked(there, "object_lock")
""",
        """        if kind == "object" and _locked(there, "object_lock"):
            return Erased()
""",
        "test_what_is_erased_is_no_longer_located",
    ),
    AWS.but(
        "copies what is said of a file, and not the file",
        "connector",
        """        async for body, more in self._files.pieces(place, file):
            yield told(body=body, more=more)
""",
        "",
        "test_everything_planted_is_in_the_copy",
    ),
    AWS.but(
        "leaves out tags",
        "files",
        """        elif file.said.get("TagCount"):""",
        """        elif file.said.get("Tags"):""",
        "test_everything_planted_is_in_the_copy",
    ),
    AWS.but(
        "declares markers before the files that they hide",
        "connector",
        """    "object": FILE,
    "upload": FILE,
    "delete_marker": frozenset({Category.USAGE}),  # last: it hides the versions below it
""",
        """    "delete_marker": frozenset({Category.USAGE}),
    "object": FILE,
    "upload": FILE,
""",
        "test_the_order_of_kinds_leaves_the_least",
    ),
    AWS.but(
        "leaves its sockets open",
        "connector",
        "        await self._s3.close()\n",
        "        return None\n",
        "test_sockets_are_closed_at_the_end",
    ),
    AWS.but(
        "makes its calls without the host",
        "client",
        """return await call(partial(self._attempt, operation, due, given))""",
        """return await self._attempt(operation, due, given)""",
        "test_every_call_goes_through_the_host",
    ),
    AWS.but(
        "writes its tag in place of all others",
        "tags",
        "meant = others if lift else {**others, RESTRICTED: SET}",
        "meant = {} if lift else {RESTRICTED: SET}",
        LIFTED,
    ),
    AWS.but(
        "takes a gateway's page for a tag that was written",
        "client",
        "or (not due and _is_page(said))",
        "",
        "test_a_verb_whose_route_fails_is_not_done[restrict]",
    ),
]
