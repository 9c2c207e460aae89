"""The folder opened in a browser from disk: sort, filter, follow a flag; no error, no request."""

from __future__ import annotations

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as runner:
        opened = runner.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync", "--no-first-run"],
        )  # fmt: skip
        yield opened
        opened.close()


@pytest.fixture
def page(browser, demo):
    folder = demo["zh"].resolve()
    one = browser.new_page(viewport={"width": 1280, "height": 900})
    faults: list[str] = []
    one.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    one.on("pageerror", lambda e: faults.append(str(e)))

    def watch(request):
        if not request.url.startswith(folder.as_uri()):
            faults.append(f"request {request.url}")

    one.on("request", watch)
    one.goto((folder / "index.html").as_uri())
    yield one
    one.close()
    assert faults == []


def column(page, number):
    return page.eval_on_selector_all(
        "#units tbody tr", f"rows => rows.filter(r => !r.hidden).map(r => r.cells[{number}]"
        ".textContent.trim())",
    )  # fmt: skip


def number(text):
    return float(text.rstrip("e%").replace("−", "-").replace(",", ""))


def test_sorting_by_a_figure_both_ways_leaves_no_data_last(page):
    head = page.locator("#units thead th").nth(5)
    head.click()
    falling = column(page, 5)
    assert falling[-2:] == ["—", "—"]
    values = [number(v) for v in falling[:-2]]
    assert values == sorted(values, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    head.click()
    rising = column(page, 5)
    assert [number(v) for v in rising[:-2]] == sorted(values)
    assert rising[-2:] == ["—", "—"]


def test_sorting_by_level_puts_the_worst_first(page):
    page.locator("#units thead th").nth(2).click()
    assert column(page, 2)[:2] == ["无数据", "无数据"]
    assert column(page, 2)[2] == "橙色"


def test_filters_narrow_the_table(page):
    page.fill("#filter-text", "大连")
    assert column(page, 1) == ["大连市"]
    page.fill("#filter-text", "")
    page.select_option("#filter-level", "s2")
    assert len(column(page, 1)) == 8
    page.select_option("#filter-level", "")
    page.check("#filter-projects")
    assert len(column(page, 1)) == 13
    assert page.locator("#filter-count").text_content() == "13 / 37"


def test_a_flag_leads_to_its_page_and_back(page):
    first = page.locator(".flags tbody a").first
    name = first.text_content().strip()
    first.click()
    assert page.locator("h1").text_content().startswith(name)
    assert page.locator("figure.chart svg").count() == 1
    page.locator(".back a").click()
    assert page.locator("#units").count() == 1


def test_pages_fit_a_narrow_window(browser, demo):
    one = browser.new_page(viewport={"width": 480, "height": 900})
    for path in (demo["en"] / "index.html", demo["en"] / "units" / "15.html"):
        one.goto(path.resolve().as_uri())
        assert one.evaluate("document.documentElement.scrollWidth") <= 500
    one.close()


def test_the_table_is_whole_without_the_script(browser, demo):
    context = browser.new_context(java_script_enabled=False)
    one = context.new_page()
    one.goto((demo["zh"] / "index.html").resolve().as_uri())
    assert one.locator("#units tbody tr").count() == 37
    context.close()
