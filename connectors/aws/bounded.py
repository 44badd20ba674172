"""boto3's HTTP session, whose answers end: after so many bytes, or so long a time.

botocore reads a body to its end before anybody can look, and waits for each byte anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from time import monotonic
from typing import Any

from botocore.exceptions import HTTPClientError  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError

from connectors.sdk.ceilings import TOO_LARGE, Ceilings
from connectors.sdk.interface import RetryableError, TerminalError

_PIECE = 64 * 1024


class BoundedSession:
    """In place of the `URLLib3Session` that it is given."""

    def __init__(self, session: Any, ceilings: Ceilings) -> None:
        self._session = session
        self._ceilings = ceilings

    def send(self, request: Any) -> Any:
        """The answer, its body read as botocore would, but for the ceilings.

        Raises `TerminalError` or `RetryableError` if it passes one.
        """
        until = monotonic() + self._ceilings.answer_seconds
        is_streamed, request.stream_output = request.stream_output, True  # or it is read in there
        answer = self._session.send(request)
        answer.raw = _Body(answer, self._ceilings.answer_bytes, until)
        if not is_streamed:
            _ = answer.content
        return answer

    def close(self) -> None:
        """Release the sockets."""
        self._session.close()


class _Body:
    """As much of urllib3's response as botocore uses. Never decoded: S3 stores what it was sent."""

    def __init__(self, answer: Any, size: int, until: float) -> None:
        self._raw = answer.raw
        self._status = answer.status_code
        self._left = size
        self._until = until

    def read(self, _size: int | None = None) -> bytes:
        """All of it."""
        return b"".join(self.stream())

    def stream(self) -> Iterator[bytes]:
        """All of it, as it comes."""
        while piece := self._piece():
            self._left -= len(piece)
            if self._left < 0:
                self.close()
                raise self._too_large()
            yield piece

    def close(self) -> None:
        """Hang up."""
        self._raw.close()

    def _piece(self) -> bytes:
        if monotonic() > self._until:
            self.close()
            raise RetryableError("S3: an answer that does not end in time")
        try:
            piece: bytes = self._raw.read1(_PIECE)  # `read` waits until it has so much
        except HTTPError as error:
            raise HTTPClientError(error=error) from None
        return piece

    def _too_large(self) -> RetryableError | TerminalError:
        if self._status >= HTTPStatus.INTERNAL_SERVER_ERROR:  # it may be sound again later
            return RetryableError(f"S3: {self._status}, too large")
        return TerminalError(f"S3: {self._status}, too large", reason=TOO_LARGE)
