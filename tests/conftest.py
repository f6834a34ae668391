"""What tests of more than one package share: the browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Real headless Chromium. Where there is none: a skip, or a failure under PLATEPAY_REQUIRE_BROWSER=1."""
    if CHROMIUM is None:
        if os.environ.get("PLATEPAY_REQUIRE_BROWSER") == "1":
            pytest.fail("there is no chromium on the PATH, and PLATEPAY_REQUIRE_BROWSER=1 asks for one")
        pytest.skip("there is no chromium on the PATH (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()
