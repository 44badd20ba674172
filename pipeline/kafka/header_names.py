"""Read records whose header names are no UTF-8, at which aiokafka stops for good.

A broker takes such a record from anybody. aiokafka (0.14) raises `UnicodeDecodeError` out of
`getmany` whenever its batch is met, and so after each restart. Here the batch is read once more,
with what is no UTF-8 replaced, as Kafka's own Java client reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def install() -> None:
    """Have every consumer of this process, Faust's too, read so."""
    fetcher.MemoryRecords = _Records


class _Records(_MemoryRecordsPy):  # type: ignore[misc]  # aiokafka is not typed
    """The batches that a broker sent."""

    def next_batch(self, *bounds: int) -> Any:
        raw = self._next_slice
        batch = super().next_batch(*bounds)
        return _Batch(batch, raw) if isinstance(batch, DefaultRecordBatch) else batch


class _Batch:
    """A batch as the compiled parser reads it; its records as the tolerant one does, if need be."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return _tolerant(self._raw)

    def __next__(self) -> Any:  # of a control batch, which has one record
        return next(self._batch)


def _tolerant(raw: memoryview) -> Iterator[Any]:
    batch = _DefaultRecordBatchPy(raw)
    iter(batch)  # uncompresses
    batch._buffer = _Replacing(batch._buffer)  # noqa: SLF001  its only text are header names
    return batch  # type: ignore[no-any-return]


class _Replacing(bytearray):
    """Bytes of which every part decodes."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Replacing(found) if isinstance(at, slice) else found

    def decode(self, *_: Any) -> str:
        return super().decode("utf-8", "replace")
