"""Names for files that vendors name: harmless in any archive, on any disk, and still recognised."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 150
"""Bytes of UTF-8 in a name, at most: some systems allow 260 for a whole path."""
NAMELESS = "file"
_READ = 1000
"""Characters of a vendor's name that are looked at: the first and, for its ending, the last."""
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,12}\Z")
_FORBIDDEN = re.compile(r'[<>:"|?*]')  # on Windows; both slashes are gone before
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories of what nobody sees in a name: controls, overrides of direction, surrogates."""
_UNSAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]'
)


def safe(name: str) -> str:
    """A vendor's name without path, controls, or anything that is more than a name somewhere."""
    read = name if len(name) <= _READ else name[: _READ // 2] + name[-_READ // 2 :]
    last = [it for it in re.split(r"[/\\]", read) if it.strip(" .")][-1:]
    spaced = " ".join(unicodedata.normalize("NFC", "".join(last)).split())
    seen = "".join(it for it in spaced if unicodedata.category(it) not in _INVISIBLE)
    found = unicodedata.normalize("NFC", _FORBIDDEN.sub("_", seen)).lstrip(" .-").rstrip(" .")
    if _DEVICE.fullmatch(found.partition(".")[0].rstrip()):
        found = f"_{found}"
    return _cut(found, LONGEST) or NAMELESS


def is_safe(name: bytes) -> bool:
    """Whether a file may be called so. Tables that grow with Unicode have no say in it."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return False
    plain = not _UNSAFE.search(text) and not _DEVICE.fullmatch(text.partition(".")[0].rstrip())
    whole = text == text.lstrip(" .-").rstrip(" .")
    return plain and whole and 0 < len(name) <= LONGEST


class Folder:
    """The names in one folder: no two differ in capitals alone, as some disks see them."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def name(self, given: str) -> str:
        """A safe name for a file, with a number if there is one of that name already."""
        found = named = safe(given)
        while (key := _folded(named)) in self._taken:
            self._taken[_folded(found)] = n = self._taken[_folded(found)] + 1
            stem, ending = _parted(found)
            named = _cut(stem, LONGEST - len(ending) - len(f" ({n})")) + f" ({n}){ending}"
        self._taken[key] = 1
        return named


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _parted(name: str) -> tuple[str, str]:
    ending = _ENDING.search(name)
    return (name[: ending.start()], ending.group()) if ending else (name, "")


def _cut(name: str, size: int) -> str:
    """The name in so many bytes, its ending kept."""
    if len(name.encode()) <= size:
        return name
    stem, ending = _parted(name)
    cut = stem.encode()[: size - len(ending)].decode("utf-8", "ignore")
    return cut.rstrip(" .") + ending
