"""Where the rows of a list come from and go to, some at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import click

from pipeline import disk

from .listed import KINDS, Row, Rows

AT_ONCE, BYTES_AT_ONCE = 500, 1024 * 1024
"""Rows that are looked up at once, and how many bytes of them."""


def batches(rows: Rows) -> Iterator[list[Row]]:
    """The rows in runs that are looked up at once."""
    batch, size = list[Row](), 0
    for row in rows:
        batch.append(row)
        size += len(row.raw)
        if len(batch) >= AT_ONCE or size >= BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    yield batch


def column(said: str) -> tuple[str, str]:
    """What `--column` says: a name, and what is in it. Raises `click.UsageError`."""
    name, _, kind = said.rpartition("=")
    if not name or kind not in KINDS:
        raise click.UsageError(f"--column is NAME=KIND, and KIND is {' or '.join(KINDS)}")
    return name, kind


@contextmanager
def read(file: str) -> Iterator[BufferedReader]:
    """A list; `-` is stdin."""
    if file == "-":
        yield sys.stdin.buffer  # type: ignore[misc]  # a BufferedReader, as sys documents
        return
    with Path(file).open("rb") as stream:
        yield stream


@contextmanager
def written(out: Path | None) -> Iterator[BinaryIO]:
    """Where rows go: a file has its name once all are there."""
    if out is None:
        yield sys.stdout.buffer
        return
    if not out.parent.is_dir():
        raise click.ClickException(f"--out: there is no folder {out.parent}")
    with disk.writing("out", out.parent), disk.drafted(out) as target:
        yield target
