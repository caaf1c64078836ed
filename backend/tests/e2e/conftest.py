"""One product for all end-to-end tests, and a browser."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from backend.tests.e2e.product import API, Product

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


_STARTED = pytest.StashKey[Product]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Before a worker begins, where there are several: the product that all of them use is started by none of them."""
    stash = node.config.stash
    if _STARTED not in stash:
        stash[_STARTED] = Product(Path(tempfile.mkdtemp()))
        stash[_STARTED].start()
    node.workerinput["product"] = stash[_STARTED].told()


def pytest_unconfigure(config: pytest.Config) -> None:
    started = config.stash.get(_STARTED, None)
    if started is not None:
        started.end()
        shutil.rmtree(started.home, ignore_errors=True)


@pytest.fixture(scope="session")
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    told = getattr(request.config, "workerinput", {}).get("product")
    if told is not None:
        yield Product.joined(told)
        return
    started = Product(tmp_path_factory.mktemp("home"))
    started.start()
    yield started
    started.end()


@pytest.fixture
def client(product: Product) -> Iterator[httpx.Client]:
    """Anonymous, to the API."""
    with httpx.Client(base_url=API, timeout=20) as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM") or "chromium", *_BROWSERS))), None)
    assert found is not None, "The browser tests need Chromium: install it, set CHROMIUM, or run with BROWSER=0."
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, product: Product) -> Iterator[Page]:
    """A page of a browser of its own, in which no script may fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Berlin")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a running product; what opens a browser is left out on BROWSER=0, by name."""
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.e2e)
