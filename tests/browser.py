"""Opens pages in a real headless browser."""

import dataclasses
from pathlib import Path
from typing import Any


@dataclasses.dataclass
class Opened:
    """A page with the browser's console messages, errors and dialogs, and the addresses that it requested."""

    page: Any
    told: list[str]
    asked: list[str]


def opened(browser: Any, path: Path, **context: Any) -> Opened:
    page = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **context}).new_page()
    found = Opened(page, [], [])
    page.on("console", lambda message: found.told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.told.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (found.told.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(path.as_uri(), wait_until="load")
    return found
