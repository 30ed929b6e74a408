"""The site in a real browser. Chromium is found as CHROMIUM or on the PATH (scripts/browser installs it on Debian)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ilp_bench.leaderboard import site as site_module
from ilp_bench.leaderboard.data_files import read_data
from ilp_bench.leaderboard.entry import REPRODUCTION
from ilp_bench.leaderboard.estimate import Estimate, difference
from ilp_bench.leaderboard.formatting import format_number, points
from ilp_bench.leaderboard.site import render

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: run scripts/browser, or set CHROMIUM to its path"),
    pytest.mark.xdist_group("browser"),
    pytest.mark.slow,
]


ARCHIVED = Path(__file__).parents[2] / "submissions"


@pytest.fixture(scope="module")
def site(board_submissions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up board, and one entry of the archive."""
    root = tmp_path_factory.mktemp("browser")
    shutil.copytree(board_submissions, root / "submissions")
    archived = next(file.parent for file in sorted(ARCHIVED.glob("*/*/submission.json")))
    shutil.copytree(archived, root / "submissions" / archived.parent.name / archived.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site_module, "committed_references", lambda: {})
        render(root / "submissions", root / "site")
    return root / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """Pages of a site from the disk; remembers requests that leave its folder, and whatever the console says."""

    def __init__(self, context: BrowserContext, site: Path) -> None:
        self.site, self.page = site, context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("requestfailed", lambda request: self._failed(request.url, request.failure or ""))

    def _asked(self, url: str) -> None:
        if not url.startswith(self.site.as_uri() + "/"):
            self.complaints.append(f"left the folder: {url}")

    def _failed(self, url: str, why: str) -> None:
        if why != "net::ERR_ABORTED":  # the next page was opened before this one had all its files
            self.complaints.append(f"failed: {url}: {why}")

    def open(self, name: str) -> Page:
        self.page.goto(f"{self.site.as_uri()}/{name}")
        return self.page

    def until(self, condition: str) -> None:
        """Wait until something holds; asked from outside, because the pages' policy forbids to evaluate strings."""
        for _ in range(200):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"it never held that {condition}")

    def rows(self, table: int = 0) -> list[str]:
        return self.page.locator("table.board").nth(table).locator("tbody tr:not([hidden]) .who > a").all_inner_texts()


@pytest.fixture
def visit(browser: Browser, site: Path) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(context, site)
    yield visit
    context.close()
    assert visit.complaints == []


def kinds(site: Path) -> list[str]:
    """One page of every kind."""
    pages_of_all = (
        "index",
        "recipes",
        "delay",
        "claims",
        "diagnosis",
        "compare",
        "data",
        "method",
        "submit",
        "changes",
        "archive",
    )
    names = [f"{name}.html" for name in (*pages_of_all, "causes/rare_patterns")]
    for pattern in (
        "runs/*auto-1x*.html",
        "runs/*delete-only-open*.html",
        "runs/ilp-bench__*.html",
        "standings/*-1x.html",
        "items/*auto-1x*.html",
    ):
        names.append(str(sorted(site.glob(pattern))[0].relative_to(site)))
    return names


def test_no_page_breaks_an_accessibility_rule_or_the_width_of_a_phone(browser: Browser, site: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visit, axe, wrong = Visit(context, site), Axe(), []
    options = {
        "preload": False,
        "resultTypes": ["violations"],
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
    for name in kinds(site):
        page = visit.open(name)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        # Colours are the same on every page, so the dark ones are looked at where most of them are.
        both = name.startswith(("index", "causes/")) or "auto" in name
        for scheme, width in (("light", 1280), ("light", 800), ("light", 390), ("dark", 360)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 800})
            across = page.evaluate("document.documentElement.scrollWidth")
            if across > width:
                wrong.append(f"{name} is {across} wide at {width}")
            if scheme == "dark" and not both:
                continue
            for rule in axe.run(page, options=options).response["violations"]:
                places = [node["target"][0] for node in rule["nodes"][:3]]
                wrong.append(f"{name}, {scheme}, {width}: {rule['id']}: {places}")
    context.close()
    assert wrong + visit.complaints == []


def test_sorting_moves_rows_says_so_and_puts_what_has_no_value_last(visit: Visit) -> None:
    page = visit.open("index.html")
    before = visit.rows()
    visit.open("compare.html")
    rank = page.locator("table.repairs th", has_text="Rank").first
    rank.get_by_role("button").click()
    assert rank.get_attribute("aria-sort") == "ascending", "the first rank first, as on the front page"
    visit.open("index.html")
    head = page.locator("table.board").first.locator("thead th.rank")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert visit.rows()[0] == "combined"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert visit.rows()[0] == "vanilla"
    assert set(visit.rows()[-2:]) == {"rare_upsampling", "conflict_cpt"}  # flagged; vanilla that nobody ran again
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None
    assert visit.rows() == before
    share = page.locator("table.board").first.locator("thead th.share")
    share.get_by_role("button").click()
    assert share.get_attribute("aria-sort") == "descending"
    shown = page.locator("table.board").first.locator("tbody .big").all_inner_texts()
    values = [float(text.replace("\N{MINUS SIGN}", "-")) for text in shown]
    assert values == sorted(values, reverse=True)


def test_a_search_finds_entries_of_every_division_and_can_be_shared(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_label("Search").fill("lora")
    assert page.locator("#found").inner_text() == "1 entry"
    assert page.locator("table.board:visible tbody tr:visible .who > a").all_inner_texts() == ["combined"]
    assert page.locator("input[type=radio]:checked").first.get_attribute("id").endswith("-open-tab")  # type: ignore[union-attr]
    page.get_by_label("Search").fill("nothing like it")
    assert page.locator("#found").inner_text() == "No entry matches: clear the filters."
    page.get_by_label("Search").fill("conflict 1x")
    assert page.locator("#found").inner_text() == "2 entries", "words of the model's name count, though it is not shown"
    address = page.evaluate("location.hash")
    assert address == "#q=conflict+1x"
    expected = visit.rows()
    visit.open("data.html")
    visit.open(f"index.html{address}")
    assert visit.rows() == expected
    assert page.get_by_label("Search").input_value() == "conflict 1x"
    page.get_by_label("Search").fill("")
    assert page.locator("section.model:visible").count() == 2
    page.locator("#trained").select_option("LoRA")
    assert page.locator("#found").inner_text() == "1 entry"
    assert page.evaluate("location.hash") == "#trained=LoRA"
    page.get_by_label("Search").fill("resampling")
    assert page.locator("#found").inner_text() == "No entry matches: clear the filters."


def test_filters_of_size_retention_and_date_leave_what_fits(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_label("Model size").select_option("under 10 M")
    assert page.locator("section.model:visible").count() == 1
    assert "nano" in page.locator("section.model:visible h3").inner_text()
    page.get_by_label("Model size").select_option("all")
    page.get_by_label("Retention at least").fill("100")
    assert page.locator("#found").inner_text() == "No entry matches: clear the filters."
    page.get_by_label("Retention at least").fill("")
    page.get_by_label("Accepted since").fill("2026-11-01")
    assert page.locator("#found").inner_text() == "1 entry"
    assert page.evaluate("location.hash") == "#since=2026-11-01"
    page.get_by_role("link", name="Compare combined").click()
    visit.until("document.getElementById('a').value === 'made-up / sample-1b-combined-1x (1x)'")


def test_a_link_to_a_base_model_shows_it_although_a_filter_had_hidden_it(visit: Visit) -> None:
    page = visit.open("index.html#q=sample")
    link = page.locator("nav.others a", has_text="nano")
    place = (link.get_attribute("href") or "").removeprefix("#")
    assert not page.locator(f"section#{place}").is_visible()
    link.click()
    visit.until(f"location.hash === '#{place}' && document.getElementById('{place}').getBoundingClientRect().top < 300")
    assert page.locator(f"section#{place}").is_visible()
    assert page.get_by_label("Search").input_value() == ""
    assert page.locator("#found").inner_text() == ""


def test_divisions_are_switched_without_a_script(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    visit = Visit(context, site)
    page = visit.open("index.html")
    assert page.locator("table.board:visible").count() == 2
    page.get_by_text("3x 3 entries").click()
    assert page.locator("table.board:visible").first.locator("tbody tr").count() == 3
    assert visit.rows()[0] == "combined"
    assert page.locator(".controls:visible").count() == 0
    page = visit.open("compare.html")
    assert page.get_by_text("Each entry against the first of its table").is_visible()
    assert page.locator("table.plain tbody tr").count() >= 9
    context.close()
    assert visit.complaints == []


def test_comparing_shows_the_tables_numbers_and_their_difference_across_divisions(visit: Visit, site: Path) -> None:
    file = next(file for file in (site / "compare").glob("*.js") if "sample" in file.name)
    by_name = {entry["name"]: entry for entry in read_data(file.read_text())["entries"]}
    names = ["made-up / sample-1b-combined-1x (1x)", "made-up / sample-1b-combined-open (open)"]
    page = visit.open("compare.html")
    page.get_by_label("First", exact=True).fill("combined-1x")
    page.get_by_label("Second", exact=True).fill("combined-open")
    page.get_by_label("Second", exact=True).press("Tab")
    page.wait_for_selector("#result table")
    sides = [by_name[name]["kinds"][REPRODUCTION] for name in names]
    shares = [side["share"] for side in sides]
    expected = difference(*(Estimate(*one["estimate"]) for one in shares), *(one["by_dataset"] for one in shares))  # type: ignore[arg-type]
    assert expected.paired
    cells = page.locator("#result tbody tr").first.locator("td").all_inner_texts()
    for cell, estimate in zip(cells, [*(one["estimate"] for one in shares), expected.estimate], strict=False):
        assert cell == f"{format_number(estimate[0])} [{format_number(estimate[1])}, {format_number(estimate[2])}]"
    forgetting = page.locator("#result tbody tr", has_text="G, Forgetting").first.locator("td").all_inner_texts()
    causes = [side["causes"]["left_side_forgetting"] for side in sides]
    assert forgetting[3:] == [" / ".join(points(cause["arms"][arm]) for cause in causes) for arm in (1, 0)]
    address = page.evaluate("location.hash")
    visit.open("index.html")
    page = visit.open(f"compare.html{address}")
    page.wait_for_selector("#result table")
    assert page.get_by_label("First", exact=True).input_value() == names[0]
    page.get_by_label("First", exact=True).fill("combined")
    page.get_by_label("First", exact=True).press("Tab")
    visit.until("document.getElementById('said').textContent.includes('or several')")
    assert page.locator("#result table").count() == 0


def test_an_entry_is_not_compared_with_itself_or_with_one_of_another_base_model(visit: Visit) -> None:
    page = visit.open("compare.html")
    first, second = (page.get_by_label(name, exact=True) for name in ("First", "Second"))
    first.fill("auto-1x")
    first.press("Tab")
    visit.until("document.getElementById('said').textContent === 'Now choose the other entry.'")
    second.fill("auto-1x")
    second.press("Tab")
    visit.until("document.getElementById('said').textContent.startsWith('Both are made-up')")
    assert page.locator("#result table").count() == 0
    page.get_by_label("Base model").select_option(index=1)
    visit.until("document.getElementById('a').value === '' && document.getElementById('said').textContent === ''")


def test_an_entry_leads_to_its_comparison(visit: Visit, site: Path) -> None:
    name = next((site / "runs").glob("*__nano-auto-1x__*.html")).name
    page = visit.open(f"runs/{name}")
    page.get_by_role("link", name="Compare it with another entry").click()
    visit.until("document.getElementById('a').value === 'made-up / nano-auto-1x (1x)'")
    assert page.get_by_label("Base model").evaluate("(select) => select.selectedOptions[0].textContent") == "nano, mini"


@pytest.fixture(scope="module")
def committed_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One committed entry with a long name, and all references: three budgets beside each other."""
    root = tmp_path_factory.mktemp("committed")
    entry = next(ARCHIVED.glob("ilp-bench__smollm2-135m-instruct-core-conflict-cpt/*"))
    shutil.copytree(entry, root / "submissions" / entry.parent.name / entry.name)
    render(root / "submissions", root / "site")
    return root / "site"


def test_wide_tables_and_badges_are_seen_whole_on_a_desk_on_a_phone_and_in_print(
    browser: Browser, committed_site: Path
) -> None:
    """What decides, the gap at three budgets, stands in the last column; on paper nothing can be scrolled."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visit, across = Visit(context, committed_site), "[...document.querySelectorAll('.scroll')]"
    across += ".map((one) => one.scrollWidth - one.clientWidth).filter((beyond) => beyond > 1)"
    run = next((committed_site / "runs").glob("*.html")).relative_to(committed_site)
    page = visit.open("delay.html")
    assert page.locator("th", has_text="Gap at 3x").count() == 6
    assert page.evaluate(across) == []
    page.set_viewport_size({"width": 390, "height": 800})
    visit.open(str(run))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins
    page.emulate_media(media="print")
    for name in ("delay.html", "claims.html", "recipes.html", "causes/knowledge_conflict.html", str(run)):
        visit.open(name)
        assert page.evaluate(across) == [], name
    context.close()
    assert visit.complaints == []


def test_commands_are_copied_as_they_stand(visit: Visit) -> None:
    stub = "{ writeText: async (text) => { if (text.includes('validate')) throw 0; document.title = text; } }"
    visit.page.add_init_script(f"Object.defineProperty(navigator, 'clipboard', {{ value: {stub} }})")
    page = visit.open("submit.html")
    block, button = page.locator("pre").nth(2), page.get_by_role("button", name="Copy")
    assert button.count() == page.locator("pre").count() == 5
    button.nth(2).click()
    visit.until("document.querySelectorAll('.copy')[2].textContent === 'Copied'")
    assert page.evaluate("document.querySelectorAll('pre')[2].textContent").startswith("for seed in 0 1 2; do\n")
    assert page.title() == " ".join(block.inner_text().split())
    button.last.click()
    visit.until("document.querySelectorAll('.copy')[4].textContent === 'Not allowed'")
    page.emulate_media(media="print")
    assert page.locator(".copy:visible").count() == 0


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.open("index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "radio":
            break
    page.keyboard.press("ArrowRight")
    assert page.locator("input[type=radio]:checked").first.get_attribute("id").endswith("-3x-tab")  # type: ignore[union-attr]
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel") == "Sort by H, reproduction":
            break
    page.keyboard.press("Enter")
    assert page.locator("thead th[aria-sort=descending]").count() == 1


def test_print_and_dark(visit: Visit) -> None:
    page = visit.open("index.html")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) != light
    page.emulate_media(media="print", color_scheme="light")
    assert not page.locator(".top nav").is_visible()
    assert page.locator("table.board").first.is_visible()
