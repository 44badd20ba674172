"""A copy is whole, and the same each time."""

from __future__ import annotations

from ..interface import Subject
from .looking import exported, in_order, left, look, person, planted
from .world import World


class Copies:
    """`export`."""

    async def test_everything_planted_is_in_the_copy(self, world: World) -> None:
        """Export every field and file that says something: each mark is in some record.

        A list that an answer leaves out, or shows the beginning of, is asked for.
        """
        ann = await planted(world, "ann")
        assert ann.marks, "let `seed` plant a `self.mark(category)` in each category"
        assert set(ann.marks) <= await left(world, ann.marks), "`seed` makes marks it never plants"
        found = {it for marks in ann.borne.values() for it in marks}
        missing = [it.category for it in ann.marks if it not in found]
        assert not missing, f"in no record: {len(missing)} marks, of {sorted(set(missing))}"

    async def test_what_is_copied_is_of_a_category_that_is_told(self, world: World) -> None:
        """In `Holding.categories` is each category with content: no other is ever erased."""
        ann = await planted(world, "ann")
        for it in ann.marks:
            told = {
                category
                for held, of in ann.borne.items()
                if it in of
                for category in held.categories
            }
            assert not told or it.category in told, f"{it.category} is there, and not told"

    async def test_a_file_comes_to_an_end(self, world: World) -> None:
        """A large file is several records of one name, one after the other: the last says so."""
        ann = await planted(world, "ann")
        for held, records in ann.records.items():
            for it, following in zip(records, [*records[1:], None], strict=True):
                goes_on = following is not None and following.name == it.name
                assert not it.more or goes_on, f"a file of a {held.kind} has no end"
                assert not (it.missing and it.body), "a file is there, or it is missing"

    async def test_everything_located_is_exported(self, world: World) -> None:
        """Each holding has a record: in a page's `records`, or from `export`."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            seen = await look(it, person(world, "ann"))
            whole = {record.holding for record in seen.records}
            rest = await exported(it, [held for held in seen.holdings if held not in whole])
        assert whole | {record.holding for record in rest} == set(seen.holdings)
        assert all(it.body or it.name for it in (*seen.records, *rest)), "a document that is empty"

    async def test_export_brings_only_what_was_located(self, world: World) -> None:
        """What `locate` does not list is never proved erased."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            seen = await look(it, person(world, "ann"))
            brought = {
                held: {record.holding async for record in it.export(held)} for held in seen.holdings
            }
        assert {record.holding for record in seen.records} <= set(seen.holdings)
        assert all(found <= {held} for held, found in brought.items())

    async def test_export_repeats_itself(self, world: World) -> None:
        """The same records in the same order, byte by byte: sort what the vendor does not."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            assert await exported(it, held) == await exported(it, held)

    async def test_a_record_in_a_page_is_what_export_gives(self, world: World) -> None:
        """If a list's row is not the whole record, leave it to `export`."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            records = (await look(it, person(world, "ann"))).records
            fetched = await exported(it, dict.fromkeys(record.holding for record in records))
        assert records == fetched

    async def test_nothing_is_exported_of_what_is_gone(self, world: World) -> None:
        """A 404 is an answer: give no record, and do not raise."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            for holding in in_order(it, held):
                await it.erase(holding)
            gone = (await look(it, Subject(()), held)).gone
            assert await exported(it, gone) == []
