"""The way of a person: log in, open a demo run, see it green, read what its pod printed.

PICTURES=1 writes the screenshots to docs/pictures, where the README shows them; otherwise they go to build/.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ci import demo
from ci.airflow_api import Airflow
from ci.paths import ROOT
from ci.release import ADMIN, URL, password
from tests.live.undo import Undoing
from tests.live.waiting import wait_for

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",  # Chromium refuses to start as root with it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZE = {"width": 1280, "height": 800}
PICTURES = ROOT / ("docs/pictures" if os.environ.get("PICTURES") else "build/pictures")
TIMEOUT_MILLISECONDS = 30_000
"""The first page of a cold browser on two busy cores takes seconds."""

REFUSED_SECONDS = 60
"""git-sync, the bundle and the banner's own memory, one after the other, take some 15 s."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        pytest.fail(f"No browser: none of {', '.join(PROGRAMS)} is on PATH. Debian: apt-get install chromium")
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    page = browser.new_context(viewport=SIZE, color_scheme="light", reduced_motion="reduce").new_page()
    page.set_default_timeout(TIMEOUT_MILLISECONDS)
    return page


def take_picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


@pytest.fixture(scope="module")
def result(airflow: Airflow) -> demo.Result:
    return demo.last_results(airflow)[0]


@pytest.fixture(scope="module")
def logged_in(page: Page) -> Page:
    page.goto(URL)
    page.get_by_label("Username").fill(ADMIN)
    page.get_by_label("Password").fill(password())
    page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE)).click()
    expect(page.get_by_role("link", name="Dags")).to_be_visible()
    return page


def test_wrong_password_is_refused(browser: Browser) -> None:
    page = browser.new_context(viewport=SIZE).new_page()
    page.goto(URL, timeout=TIMEOUT_MILLISECONDS)
    page.get_by_label("Username").fill(ADMIN)
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE)).click()
    expect(page.get_by_text("Invalid credentials")).to_be_visible()
    page.context.close()


def test_dag_list_shows_the_demo_dags(logged_in: Page, result: demo.Result) -> None:
    logged_in.goto(f"{URL}/dags")
    logged_in.get_by_label("Show table view").click()
    expect(logged_in.get_by_role("link", name=result.dag_id)).to_be_visible()
    take_picture(logged_in, "dags")


def test_demo_run_is_shown_green(logged_in: Page, result: demo.Result) -> None:
    logged_in.goto(f"{URL}/dags/{result.dag_id}/runs/{result.run_id}")
    expect(logged_in.get_by_text("Success", exact=True).first).to_be_visible()
    take_picture(logged_in, "dag-run")


def test_log_view_of_a_demo_task_shows_its_pods_output(logged_in: Page, result: demo.Result, airflow: Airflow) -> None:
    task = airflow.task_instances(result.dag_id, result.run_id)[-1]["task_id"]
    logged_in.goto(f"{URL}/dags/{result.dag_id}/runs/{result.run_id}/tasks/{task}")
    expect(logged_in.get_by_text(f"Result: {result.result}").first).to_be_visible()
    take_picture(logged_in, "task-log")


def test_banner_says_which_change_is_refused_and_why(logged_in: Page, airflow: Airflow) -> None:
    link = ROOT / "dags/demo/written_by_a_test"
    with Undoing(["rm", "-f", link]):
        link.unlink(missing_ok=True)
        link.symlink_to("/etc/passwd")
        wait_for(airflow.alerts, "banner of a link that leaves the folder", REFUSED_SECONDS)
        logged_in.goto(URL)
        expect(logged_in.get_by_text(f"{link.name} is a symbolic link to /etc/passwd")).to_be_visible()
        take_picture(logged_in, "banner")
    wait_for(lambda: not airflow.alerts(), "end of the banner", REFUSED_SECONDS)


def test_pictures_of_the_readme_are_small(logged_in: Page) -> None:
    pictures = sorted(Path(PICTURES).glob("*.png"))
    assert len(pictures) >= 4
    assert all(picture.stat().st_size < 300_000 for picture in pictures)
