"""What does a person see? Few words, one button at most, and nothing about anybody."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from pipeline import response
from pipeline.response import words

_FOLDERS = (Path(__file__).parent / "templates", Path(response.__file__).parent / "templates")
"""Ours; and the style sheet of what people receive."""
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDERS),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE = "".join(_TEMPLATES.get_template(it).render() for it in ("style.css", "web.css"))
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_HASH}'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Content-Security-Policy (W3C, level 3) of every page: no script, nothing from elsewhere."""
RETRY_AFTER = 30
"""Seconds."""


class Pages:
    """The pages of a `controller` whose DPO is written to at `contact`."""

    def __init__(self, *, controller: str, contact: str) -> None:
        self._ours = {"controller": controller, "contact": contact, "style": _STYLE}

    def ask(self, until: datetime) -> HTMLResponse:
        """The one with the button."""
        return self._page("ask.html", 200, until=words.day(until))

    def confirmed(self) -> HTMLResponse:
        """The button was pressed, and that is on record."""
        return self._page("confirmed.html", 200)

    def ask_recipient(self, until: datetime) -> HTMLResponse:
        """The one with the button for a recipient."""
        return self._page("ask_recipient.html", 200, until=words.day(until))

    def acknowledged(self) -> HTMLResponse:
        """That button was pressed, and that is on record."""
        return self._page("acknowledged.html", 200)

    def ask_unsubscribe(self) -> HTMLResponse:
        """The one with the button that ends mail."""
        return self._page("ask_unsubscribe.html", 200)

    def unsubscribed(self) -> HTMLResponse:
        """That button was pressed, and that is on record."""
        return self._page("unsubscribed.html", 200)

    def gone(self) -> HTMLResponse:
        """Unknown, used or over: the same page for all, and for whatever else is not there."""
        return self._page("gone.html", 404)

    def elsewhere(self) -> HTMLResponse:
        """The button was pressed on somebody else's page."""
        return self._page("elsewhere.html", 403)

    def later(self, status: int = 503) -> HTMLResponse:
        """Nothing was recorded, and may be in a while."""
        page = self._page("later.html", status)
        page.headers["Retry-After"] = str(RETRY_AFTER)
        return page

    def refused(self, status: int) -> HTMLResponse:
        """Not a request that a browser makes here."""
        return self._page("refused.html", status)

    def _page(self, template: str, status: int, **shown: Any) -> HTMLResponse:
        html = _TEMPLATES.get_template(template).render(**self._ours, **shown)
        return HTMLResponse(html, status)
