"""The lab's page says what the report says, whatever names hold, and works in a browser without any network."""

import io
import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from invcomp.lab import plots
from invcomp.lab.output import write_figures
from invcomp.lab.report import number, percent, render
from invcomp.lab.results import BjontegaardRate, Comparison, Effect, Metric, Panel, Report, Result

NAME = '<img src=x onerror=alert(1)> "it\'s" & ünï\udcff.png'  # the last letter but the ending is no Unicode
SHOWN_NAME = NAME.replace("\udcff", "?")
NAMES = ["first", "second <b> $x$", "third"]
COLOURS = {"": (200, 200, 200), "first": (220, 30, 30), "second <b> $x$": (30, 30, 220), "third": (30, 160, 30)}
METRICS = [
    Metric("psnr", "PSNR, dB", True, 2, "of RGB"),
    Metric("distance", "distance < 1", False),
    Metric("never", "never measured", True),
]


def picture(codec: str) -> Image.Image:
    """Noise around a colour of the codec's own."""
    noise = np.random.default_rng(len(codec)).normal(0, 8, (24, 24, 3))
    return Image.fromarray((noise + COLOURS[codec]).clip(0, 255).astype(np.uint8))


def results() -> list[Result]:
    """Three made-up codecs at five settings, one of them worse and larger than another; the third lacks a metric."""
    found = []
    for index, codec in enumerate(NAMES):
        for step, size in enumerate((60, 110, 240, 500, 510)):
            psnr = 20 + 3 * min(step, 3.5 - step / 4) - index
            mean = {"bytes": size * (1 + index) + 0.25, "psnr": psnr, "encode_seconds": 0.5, "decode_seconds": 0.01}
            if codec != "third":
                mean["distance"] = 1 - psnr / 40
            found.append(Result(codec, f"quality {step}", [], mean))
    return found


def report() -> Report:
    """A page's worth of made-up results."""

    def budget(size: int) -> list[Panel]:
        figures = {"psnr": 21.5, "distance": 0.25}
        first = Panel(NAMES[0], "quality 1", size, figures, picture(NAMES[0]))
        return [first, *(Panel(c, "quality 0", size + 57, {}, picture(c), fits=False) for c in NAMES[1:])]

    comparisons = [Comparison(NAME, picture(""), {"about 60 bytes": budget(60), "about 240 bytes": budget(240)})]
    comparisons.append(Comparison("second.png", picture(""), {"about 60 bytes": budget(61)}))
    rates = [
        BjontegaardRate("first", NAMES[1], "psnr", -30.44, "over 80% of the shorter curve"),
        BjontegaardRate("first", NAMES[1], "distance", None, "the curves share <no> quality"),
        BjontegaardRate("first", "third", "psnr", 12.0, "over all of it"),
    ]
    effects = [
        Effect("loss", "mse + a rather long expression & more", "psnr", "lpips", 0.5, 0.25, 0.75, 4, 24),
        Effect("steps", "100", "psnr", "500", -0.5, -1.25, 0.25, 4, 24),
    ]
    facts = {"pictures": "made up", "prior": "none"}
    return Report(
        "Report & test", facts, ["A <codec> was skipped."], METRICS, results(), rates, effects, comparisons, "first"
    )


class Page(HTMLParser):
    """The elements of a page with their attributes, its tables' cells, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.in_cell:
            self.rows[-1][-1] += data.strip()

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]


@pytest.fixture(scope="module")
def html() -> str:
    return render(report())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_names_are_text_and_never_markup(page: Page) -> None:
    assert SHOWN_NAME in page.text
    assert page.text.count("second <b> $x$") > 5
    assert not page.values("onerror")
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert "A <codec> was skipped." in page.text


def test_everything_is_inside_the_page(page: Page) -> None:
    assert all(source.startswith("data:image/webp;base64,") for source in page.values("src"))
    assert all(target.startswith(("#", "data:")) for target in page.values("href"))


def test_ids_are_unique_and_what_is_referred_to_exists(html: str, page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', html)) <= set(ids)


def test_missing_values_are_dashes_and_metrics_without_any_are_left_out(page: Page) -> None:
    third = [row for row in page.rows if row[0] == "third" and len(row) == 7]
    assert len(third) == 5
    assert all(row[4] == "–" and row[3] != "–" for row in third)
    assert "never measured" not in page.text


def test_rates_have_signs_and_undefined_ones_say_why(page: Page) -> None:
    assert [NAMES[1], "−30.4 %", "undefined"] in page.rows
    assert ["third", "+12.0 %", "–"] in page.rows
    assert "the curves share <no> quality" in page.values("title")
    assert "undefined; the curves share <no> quality" in page.text


def test_files_larger_than_the_one_they_are_matched_to_say_so(page: Page) -> None:
    assert page.text.count("57 bytes over") == 6


def test_the_same_report_gives_the_same_page(html: str) -> None:
    assert render(report()) == html


def test_a_report_of_nothing_is_a_page() -> None:
    assert "<h1>Nothing</h1>" in render(Report("Nothing", {}, [], [], []))


def test_only_the_drawn_codecs_have_curves() -> None:
    whole = report()
    assert "third" in render(Report("", {}, [], METRICS, whole.results)).split("<svg")[1]
    drawn = Report("", {}, [], METRICS, whole.results, first_codec="first", drawn=("first", NAMES[1]))
    assert "third" not in render(drawn).split("<svg")[1].split("</svg>")[0]


def test_plots_have_no_colours_of_a_page_and_a_description() -> None:
    for svg in (plots.rate_distortion(results(), METRICS[0], "first"), plots.effects(report().effects, METRICS[0])):
        head = svg[: svg.index(">")]
        assert 'role="img"' in head
        assert 'aria-label="' in head
        assert "currentColor" in svg
        assert "#010203" not in svg
        assert "<style" not in svg


def test_a_plot_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="never"):
        plots.rate_distortion(results(), METRICS[2], "first")
    with pytest.raises(ValueError, match="distance"):
        plots.effects(report().effects, METRICS[1])


def test_numbers_are_written_for_people() -> None:
    assert [number(value, 1) for value in (-1234.56, None, float("nan"), float("inf"))] == ["−1,234.6", "–", "–", "∞"]
    assert percent(-30.44) == "−30.4 %"


@pytest.fixture(scope="module")
def address(html: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium with its logs of requests and of the console."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium and chromedriver are not both installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    switches = "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    for switch in f"{switches} disable-component-update disable-sync".split():
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def colour(element: Any) -> tuple[int, int, int]:
    """Mean colour of an element as it is shown."""
    shown = Image.open(io.BytesIO(element.screenshot_as_png)).convert("RGB")
    red, green, blue = np.asarray(shown).mean((0, 1))
    return round(red), round(green), round(blue)


def near(colour: tuple[int, int, int], codec: str) -> bool:
    return max(abs(a - b) for a, b in zip(colour, COLOURS[codec], strict=True)) < 45  # the handle is over it


def test_a_browser_shows_all_and_fetches_nothing(browser: Any, address: str) -> None:
    browser.get_log("performance")
    browser.get(address)
    images = "return [...document.images].map(i => i.complete && i.naturalWidth)"
    assert all(browser.execute_script(images))
    sizes = "return [...document.querySelectorAll('svg')].map(s => [s.clientWidth, s.clientHeight])"
    sizes_found = browser.execute_script(sizes)
    assert len(sizes_found) == 3
    assert all(width > 200 and height > 150 for width, height in sizes_found)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    sent = [r["request"]["url"] for r in requests if r["documentURL"] == address]  # not the browser's start page
    assert address in sent
    assert [url for url in sent if url != address and not url.startswith("data:")] == []
    assert not browser.get_log("browser")


def test_the_slider_wipes_between_the_sides(browser: Any, address: str) -> None:
    from selenium.webdriver import ActionChains, Keys

    browser.get(address)
    stage = browser.find_element("css selector", ".stage")
    slider = stage.find_element("css selector", "input")
    slider.send_keys(Keys.END)
    assert near(colour(stage), "first")
    slider.send_keys(Keys.HOME)
    assert near(colour(stage), NAMES[1])
    quarter = stage.size["width"] // 4
    ActionChains(browser).move_to_element(stage).click_and_hold().move_by_offset(quarter, 0).release().perform()
    assert abs(int(slider.get_property("value")) - 75) <= 1


def test_the_selects_change_the_pictures(browser: Any, address: str) -> None:
    from selenium.webdriver import Keys
    from selenium.webdriver.support.select import Select

    browser.get(address)
    left, right, budget = (Select(browser.find_element("name", name)) for name in ("left", "right", "budget"))
    stage = browser.find_element("css selector", ".stage")
    stage.find_element("css selector", "input").send_keys(Keys.END)
    left.select_by_value("third")
    assert near(colour(stage), "third")
    left.select_by_value("")
    assert near(colour(stage), "")
    right.select_by_value("first")
    captions = browser.find_elements("css selector", ".captions .right")
    assert "60 bytes" in captions[0].text
    budget.select_by_value("about 240 bytes")
    assert "240 bytes" in captions[0].text
    assert "no file" in captions[1].text  # the second picture has no files of this size
    browser.find_element("name", "pixels").click()
    assert stage.find_element("css selector", "img").value_of_css_property("image-rendering") == "pixelated"


def test_column_heads_sort_and_missing_values_stay_last(browser: Any, address: str) -> None:
    browser.get(address)
    browser.find_elements("css selector", ".sortable button")[4].click()
    cells = "return [...document.querySelectorAll('.sortable tbody tr')].map(r => r.cells[4].textContent)"
    rising = browser.execute_script(cells)
    browser.find_elements("css selector", ".sortable button")[4].click()
    falling = browser.execute_script(cells)
    assert rising[:10] == sorted(rising[:10])
    assert falling[:10] == rising[:10][::-1]
    assert rising[10:] == falling[10:] == ["–"] * 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(browser: Any, address: str, width: int, scheme: str) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(address)
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    background = browser.find_element("css selector", "body").value_of_css_property("background-color")
    brightness = sum(map(int, re.findall(r"\d+", background)[:3]))
    assert (brightness > 384) == (scheme == "light")


def test_without_scripts_every_file_is_shown(browser: Any, address: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        assert all(panel.is_displayed() for panel in browser.find_elements("css selector", ".panel img"))
        assert not browser.find_element("css selector", ".controls").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_figures_are_files_of_their_own(tmp_path: Path) -> None:
    write_figures(report(), tmp_path, "study", ["psnr"])
    text = (tmp_path / "study-psnr.svg").read_text()
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    assert "background: #fff" in text
    assert re.search(r'width="[0-9.]+" height="[0-9.]+"', text)
