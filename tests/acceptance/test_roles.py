"""Each role alone, some of them twice: a host knows no register and no key but its own."""

from __future__ import annotations

from pathlib import Path

from tests.rig import Rig, plant, states


async def test_every_role_alone_and_hosts_from_a_folder_of_their_own(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        objects = rig.settings.data / "objects"
        objects.mkdir(mode=0o700)
        shared = {"HABEAS_OBJECTS": str(objects)}
        lone = tmp_path / "lone"
        code, *said = await rig.habeas("keys", "host", "freshdesk", "--out", str(lone))
        assert code == 0, said
        for role in ("orchestrator", "orchestrator", "response", "notice", "recipients", "reports"):
            rig.run("run", role)
        rig.run("run", "host", "freshdesk", HABEAS_DATA=str(lone), **shared)
        for _ in range(2):
            rig.run("run", "host", "salesforce")
        cases = [
            await rig.submit("access", "erasure", email=plant(rig, f"role-{n}").email)
            for n in range(6)
        ]
        for it in cases:
            case = await rig.settled(it, patience=90)
            assert states(case, "access")["freshdesk", "contact"] == {"proved"}
            assert states(case, "erasure")["salesforce", "lead"] == {"dated"}
        left = {str(it.relative_to(lone)) for it in lone.rglob("*") if it.is_file()}
        left.remove("cluster")  # whose orders it works on
        assert {it.rpartition("/")[0] for it in left} == {"keys/hosts/freshdesk", "keys/letters"}
        assert not [it for it in left if it.startswith("keys/letters") and it.endswith(".key")]
        ended = {it.log.name: it.stop() for it in rig.roles}
        assert set(ended.values()) <= {0, 130}, ended
        rig.roles.clear()
