"""What the connector of AWS says in plain words: why a file stays, and what no search finds."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "archived": "The file is in an archive and must be restored in S3 before it can be copied.",
    "encrypted": "The file is encrypted with a key that S3 does not have, or may not use any more.",
    "forbidden": "S3 does not allow our key to do this, or it is locked and we may not see it.",
    "hides": "It hides a version of the file that is still there, and can go only after that.",
    "indivisible": "A file can only be deleted as a whole.",
    "legal_hold": "Lift the legal hold on the file in S3 if it is over, then order the task again.",
    "metadata": "Of what is noted with the file, S3 hands out only a part.",
    "not_found": "S3 no longer has this.",
    "no_tags": "S3 can mark files only: no unfinished upload, and no note that one was deleted.",
    "object_lock": "S3 keeps the file until this date (Object Lock).",
    "refused": "S3 refused the request.",
    "tags_full": "The file has ten tags already: S3 has no room for the mark until one goes.",
    "unreadable": "S3 does not let our key read the file.",
    "written": "A file is corrected by whoever writes it: put a right one in its place.",
}
BEYOND: Mapping[str, str] = {
    "copies": "Copies of files in backups, replicas and inventories that we have not set up.",
    "elsewhere": "Folders, buckets and regions that we have not set up to be searched.",
    "inside": "Files in other folders that name you inside, in their own name or in a tag.",
    "logs": "Records of who opened which file.",
    "parts": "What is in uploads that were never finished: S3 tells only how large it is.",
    "rows": "Rows about you in files about many people.",
    "services": "What is kept at AWS elsewhere than in files, such as in a database.",
}
