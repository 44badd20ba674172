"""The audit of what people decided passes what came as promised, and names what did not."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo import audit_decided

TO = "ann@example.org"
COMPLAIN = "You may complain to a data protection supervisory authority. You may also go to court."
REASONS = "These are their reasons: seven times the same."
World = dict[str, Any]


def world() -> World:
    """Four cases as they must come: letters by case, reports, and recipients who were told."""
    return {
        "promised": {
            "a": promise(extended="volume"),
            "b": promise(refused="excessive"),
            "c": promise(by_hand=["aws"]),
            "d": promise(silent=True),
        },
        "letters": {
            "a": [(audit_decided.EXTENDED, f"until 28 February 2027. {COMPLAIN}")],
            "b": [(audit_decided.REFUSED, f"It is manifestly excessive. {REASONS} {COMPLAIN}")],
        },
        "reports": {
            "a": [
                {
                    "received_at": "2026-11-30T10:00:00+00:00",
                    "due_at": "2027-02-28T23:59:59.999999+00:00",
                    "steps": [{"rule": "months"}],
                }
            ],
            "c": [handled("open", 1), handled("proved", 2)],
            "d": [silent("asked", 0, 1), silent("unanswered", 2, 2)],
        },
        "instructions": [("d", "segment")] * 3,
    }


def promise(**said: Any) -> dict[str, Any]:
    return {"to": TO, "extended": "", "refused": "", "by_hand": [], "silent": False} | said


def handled(state: str, responses: int) -> dict[str, Any]:
    rows = [{"system": "aws", "state": state}, {"system": "stripe", "state": "open"}]
    return {"coverage": rows, "responses": [{}] * responses}


def silent(state: str, reminders: int, responses: int) -> dict[str, Any]:
    asked = {"recipient": "segment", "right": "erasure", "asks": "erase"}
    rows = [asked | {"state": state, "reminders": reminders}, {"asks": "", "state": "not_told"}]
    return {"recipients": rows, "responses": [{}] * responses}


def audited(tmp_path: Path, told: World) -> tuple[int, list[Path]]:
    """Write it into folders as the demo does; the exit code of the audit."""
    folders = [tmp_path / it for it in ("mail", "instructions", "reports")]
    for it in folders:
        it.mkdir()
    for case, letters in told["letters"].items():
        for n, (subject, text) in enumerate(letters):
            mail = EmailMessage()
            mail["To"], mail["Subject"] = TO, f"{subject} [{case}]"
            mail.set_content(f"{text}\n\nCase {case}\n")
            (folders[0] / f"{case}{n}.eml").write_bytes(mail.as_bytes())
    for n, (case, to) in enumerate(told["instructions"]):
        mail = EmailMessage()
        mail.set_content("Please erase.")
        document = {"case": case, "to": to, "right": "erasure"}
        mail.add_attachment(json.dumps(document), filename=audit_decided.DOCUMENT)
        (folders[1] / f"{n}.eml").write_bytes(mail.as_bytes())
    for case, reports in told["reports"].items():
        for n, it in enumerate(reports, start=1):
            (folders[2] / f"{case}-{n}.json").write_text(json.dumps({"n": n, **it}))
            (folders[2] / f"{case}-{n}.dsse.json").write_text("{}")
    promised = tmp_path / "promised.json"
    promised.write_text(json.dumps(told["promised"]))
    return audit_decided.main([str(it) for it in (promised, *folders)]), folders


def test_what_came_as_promised_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = audited(tmp_path, world())
    said = capsys.readouterr().out
    assert "1 extended, 1 refused, 1 by hand, 1 silent, 0 wrong" in said
    assert code == 0


def another_date(told: World) -> None:
    told["reports"]["a"][0]["due_at"] = "2027-03-01T23:59:59.999999+00:00"


def no_step(told: World) -> None:
    told["reports"]["a"][0]["steps"] = [{"rule": "month"}]


def no_letter_of_more_time(told: World) -> None:
    del told["letters"]["a"]


def another_ground(told: World) -> None:
    told["promised"]["b"]["refused"] = "unfounded"


def refused_twice(told: World) -> None:
    told["letters"]["b"] *= 2


def refused_and_told(told: World) -> None:
    told["instructions"].append(("b", "segment"))


def nowhere_to_complain(told: World) -> None:
    told["letters"]["b"] = [
        (subject, text.replace("court", "us")) for subject, text in told["letters"]["b"]
    ]


def still_open(told: World) -> None:
    told["reports"]["c"][1] = handled("open", 2)


def never_open(told: World) -> None:
    told["reports"]["c"][0] = handled("proved", 1)


def not_told(told: World) -> None:
    told["reports"]["c"][1] = handled("attested", 1)


def one_reminder(told: World) -> None:
    told["instructions"].pop()


def still_asked(told: World) -> None:
    told["reports"]["d"][1] = silent("asked", 2, 2)


def not_told_of_silence(told: World) -> None:
    told["reports"]["d"][1] = silent("unanswered", 2, 1)


def nobody_refused(told: World) -> None:
    told["promised"]["b"]["refused"] = ""


@pytest.mark.parametrize(
    ("slip", "says"),
    [
        (another_date, "a: the date is not three months after receipt"),
        (no_step, "a: the report's steps"),
        (no_letter_of_more_time, "a: no letter, or more than one"),
        (another_ground, "b: the letter does not name the ground"),
        (refused_twice, "b: 2 letters say"),
        (refused_and_told, "b: refused, and recipients were told"),
        (nowhere_to_complain, "b: the letter does not say where to complain"),
        (still_open, "c: aws: still open"),
        (never_open, "c: aws: nothing was open before"),
        (not_told, "c: aws: done by hand, and the person was not told"),
        (one_reminder, "d: a recipient was not told once and reminded twice"),
        (still_asked, "d: segment, erasure: did not answer"),
        (not_told_of_silence, "d: recipients did not answer, and the person was not told"),
        (nobody_refused, "nothing was refused"),
    ],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_what_did_not_come_is_named_and_no_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], slip: Callable[[World], None], says: str
) -> None:
    told = world()
    slip(told)
    code, _ = audited(tmp_path, told)
    lines = capsys.readouterr().out.splitlines()[:-1]
    assert code == 1
    assert any(it.startswith(says) for it in lines), lines
    assert TO not in "".join(lines)


def test_what_cannot_be_read_is_not_a_pass(tmp_path: Path) -> None:
    told = world()
    told["promised"]["a"] = {"to": TO}
    code, folders = audited(tmp_path, told)
    assert code == 2
    (folders[1] / "x.eml").write_text("no instruction")
    (tmp_path / "promised.json").write_text(json.dumps(world()["promised"]))
    assert audit_decided.main([str(it) for it in (tmp_path / "promised.json", *folders)]) == 2
