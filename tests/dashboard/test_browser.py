"""The pages in a real browser, as somebody uses them."""

import re
from urllib.parse import parse_qs, urlparse

import pytest
import small_runs
from dashboard_runs import write_grid, write_proposals, write_run, write_scored

from tradeoffs.dashboard.address import write
from tradeoffs.dashboard.store import Store

PLOT = ".js-plotly-plot .main-svg"


def choose(page, label: str, value: str) -> None:
    """Opens the list with this label and takes an entry."""
    page.get_by_role("group", name=label, exact=True).locator("button").click()
    page.get_by_role("option", name=value, exact=True).click()
    page.keyboard.press("Escape")


def query(page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query, keep_blank_values=True)


def marks(page) -> int:
    return page.locator(".scatterlayer .trace .points path.point").count()


def no_wider_than_the_window(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_filters_live_in_the_address(page, grid_address):
    page.goto(grid_address)
    page.wait_for_selector(PLOT)
    assert page.title() == "Figures | Speed/accuracy trade-offs"
    before = marks(page)
    choose(page, "Architecture", "ssd")
    page.wait_for_url("**model=ssd*")
    page.wait_for_function(f"document.querySelectorAll('.points path.point').length < {before}")
    filtered = marks(page)
    page.get_by_text("average over seeds").click()
    page.wait_for_url("**average=*")
    page.wait_for_function(f"document.querySelectorAll('.points path.point').length > {filtered}")
    assert query(page) == {"model": ["ssd"], "average": [""]}
    page.go_back()
    page.wait_for_function(f"document.querySelectorAll('.points path.point').length == {filtered}")
    assert page.locator("input[value=yes]").is_checked()
    page.reload()
    page.wait_for_selector(PLOT)
    assert (marks(page), query(page)) == (filtered, {"model": ["ssd"]})


def test_every_figure_axes_and_nothing_from_elsewhere(page, grid_address):
    page.goto(grid_address)
    page.wait_for_selector(PLOT)
    for title in page.locator(".pill").all_inner_texts():
        page.get_by_role("link", name=title, exact=True).click()
        page.get_by_role("heading", name=title, level=1).wait_for()
        page.wait_for_selector(PLOT)
    page.get_by_role("link", name=re.compile("Accuracy against time")).click()
    page.get_by_role("heading", name="Accuracy against time").wait_for()
    choose(page, "Across", "Parameters [M]")
    page.wait_for_selector("text=Parameters [M] >> nth=1")
    page.get_by_role("heading", name="mAP against parameters").wait_for()
    assert query(page) == {"x": ["parameters"]}
    assert {urlparse(address).netloc for address in page.asked if not address.startswith(("data:", "blob:"))} == {
        urlparse(grid_address).netloc
    }


def test_new_runs_appear_and_the_zoom_stays(page, runs, serve):
    page.goto(serve(Store(write_grid(runs))))
    page.wait_for_selector(PLOT)
    plot = "document.querySelector('.js-plotly-plot')"
    box = page.locator(".nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 300, steps=4)
    page.mouse.up()
    page.wait_for_function(f"{plot}.layout.yaxis.autorange === false")
    zoomed = page.evaluate(f"{plot}.layout.yaxis.range")
    page.evaluate(f"{plot}.mark = 'the same element'")
    write_run(runs, "later", 0.77, 33.0)
    page.wait_for_function(f"{plot}.data.some(trace => (trace.customdata || []).some(each => each[0] === 'later'))")
    assert page.evaluate(f"[{plot}.mark, {plot}.layout.yaxis.range]") == ["the same element", zoomed]
    assert "20 records" in page.inner_text("footer")


def test_the_table_sorts_searches_and_opens_a_run(page, grid_address):
    page.goto(f"{grid_address}/table")
    page.wait_for_selector("tbody tr")
    page.get_by_role("link", name=re.compile("^ms")).click()
    page.wait_for_selector("th[aria-sort=ascending]")
    assert query(page) == {"sort": ["ms"]}
    assert page.locator("td strong").first.inner_text().startswith("★")
    page.get_by_placeholder("words, in any order").fill("resnet101 FASTER image_size=300")
    page.wait_for_url("**search=*")
    page.wait_for_function("document.querySelectorAll('tbody tr').length == 1")
    page.locator("tbody th a").click()
    page.get_by_role("heading", name="faster_rcnn resnet101, 300 px").wait_for()
    assert page.title().startswith("grid/model=faster_rcnn")


@pytest.fixture
def scored(runs, tmp_path, serve):
    data = small_runs.write_data(tmp_path / "data")
    write_scored(runs, "good", data, shift=0, score=0.9)
    write_scored(runs, "poor", data, shift=12, score=0.3, config={"batch_size": 4})
    return serve(Store(runs))


def test_the_page_of_a_run(page, scored):
    page.goto(f"{scored}/run{write({'run': ['good']})}")
    page.get_by_role("heading", name="Its worst images").wait_for()
    titles = page.locator("h2").all_inner_texts()
    assert {"Losses", "Time in parts", "Accuracy by size of the objects", "Images", "Settings"} <= set(titles)
    assert {"Precision against recall", "Which class was taken for which"} <= set(titles)
    page.wait_for_function("[...document.images].length && [...document.images].every(each => each.naturalWidth > 100)")
    page.wait_for_selector(PLOT)
    page.get_by_text("groups of settings").click()
    assert "batch_size: 8" in page.inner_text("pre")
    least = page.get_by_role("group", name="Least score of a box").locator("input")
    assert least.input_value() == "0.83"
    assert "score=0.829" in page.locator("#galleries img").first.get_attribute("src")  # 0.8299..., not 0.83
    assert all("0 missed, 0 false" in each for each in page.locator("figcaption").all_inner_texts())
    least.fill("0.95")
    least.blur()
    page.wait_for_selector("#galleries img[src*='score=0.95']")
    assert not any("0 missed" in each for each in page.locator("#galleries figcaption").all_inner_texts())
    page.set_viewport_size({"width": 390, "height": 844})
    assert no_wider_than_the_window(page)


def test_two_runs_side_by_side(page, scored):
    page.goto(f"{scored}/compare?first=poor")
    choose(page, "Second run", "good")
    page.get_by_role("heading", name="The images where they differ most").wait_for()
    assert query(page) == {"first": ["poor"], "second": ["good"]}
    rows = {row.split("\t")[0]: row for row in page.locator("tbody tr").all_inner_texts()}
    assert rows["batch_size"].split("\t")[1:] == ["4", "8"]
    assert "better, more than chance" in rows["mAP"] and "over the images" in rows["mAP"]
    assert "false" in page.locator("figcaption").first.inner_text()


def test_a_click_leads_to_the_run(page, scored):
    page.goto(scored)
    page.locator(".points path.point").first.hover(force=True)  # plotly listens on a sheet above its marks
    page.get_by_text("architecture: ").wait_for()
    page.locator(".points path.point").first.click(force=True)
    page.get_by_role("link", name="Open this run").click()
    page.get_by_role("heading", name="ssd mobilenet, 300 px").wait_for()


def test_the_report_is_one_file_that_works_alone(page, grid_address, tmp_path):
    page.goto(grid_address)
    page.wait_for_selector(PLOT)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save report").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    page.asked.clear()
    page.goto(file.as_uri())
    page.wait_for_selector(PLOT)
    assert page.locator(".js-plotly-plot").count() == 10
    page.get_by_role("button", name="ms", exact=True).click()
    place = page.locator("thead th").all_inner_texts().index("ms")
    times = [float(text.strip("★☆ ")) for text in page.locator(f"tbody td:nth-of-type({place})").all_inner_texts()]
    assert times == sorted(times, reverse=True) and len(times) == 11
    assert [address for address in page.asked if not address.startswith(("file:", "data:", "blob:"))] == []


def test_the_csv_holds_what_is_shown(page, grid_address, tmp_path):
    for address, drawn, count in (("/?model=ssd", PLOT, 4), ("/table?model=ssd&search=resnet", "tbody tr", 2)):
        page.goto(grid_address + address)
        page.wait_for_selector(drawn)
        with page.expect_download() as download:
            page.get_by_role("button", name="Save CSV").click()
        download.value.save_as(tmp_path / "runs.csv")
        assert len((tmp_path / "runs.csv").read_text().splitlines()) == 1 + count


def test_without_runs_it_says_what_to_do(page, runs, serve):
    page.goto(serve(Store(runs)))
    page.get_by_text("python train.py experiment=demo").wait_for()
    write_run(runs, "first", 0.5)
    page.wait_for_selector(PLOT)


@pytest.mark.parametrize(
    "path", ["/run?run=../secret", "/run?run=%00", "/run", "/compare?first=a&second=/etc", "/else"]
)
def test_what_is_not_there_is_told(page, grid_address, path):
    page.goto(grid_address + path)
    page.get_by_role("heading", name="Not found").wait_for()


def test_names_are_only_text(page, runs, serve):
    evil = "<script>window.evil=1<!script>"
    write_run(runs, f"{evil}/run", backbone="<img src=x onerror=window.evil=1>", model="<b>ssd")
    address = serve(Store(runs))
    for path in ("/", "/table", f"/run{write({'run': [f'{evil}/run']})}"):
        page.goto(address + path)
        page.wait_for_selector(f"{PLOT}, table")
        assert page.evaluate("window.evil") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("path", ["/", "/?figure=time", "/table", "/compare"])
def test_a_narrow_window(page, grid_address, path):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(grid_address + path)
    page.wait_for_selector(f"{PLOT}, table, #first")
    assert no_wider_than_the_window(page)


def test_the_usual_table_fits(page, grid_address):
    """Whole at 1400 pixels; the first two numbers at 420."""
    for width, last in ((1400, -1), (420, 2)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{grid_address}/table")
        page.wait_for_selector("tbody tr")
        heads = page.locator("thead th").all()
        assert [head.inner_text().split()[0] for head in heads[:3]] == ["run", "mAP", "ms"]
        box = heads[last].bounding_box()
        assert box["x"] + box["width"] <= width


def test_dark_or_light(page, grid_address):
    """As the system has it, until the button is pressed, and for good from then on."""
    page.emulate_media(color_scheme="dark")
    page.goto(grid_address)
    page.wait_for_selector(PLOT)
    theme, ground = "document.documentElement.dataset.theme", "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(f"[{theme}, {ground}]") == ["dark", "rgb(16, 16, 16)"]
    assert page.locator(PLOT).first.evaluate("each => getComputedStyle(each).filter").startswith("invert")
    page.get_by_role("button", name="Dark or light").click()
    page.reload()
    page.wait_for_selector(PLOT)
    assert page.evaluate(theme) == "light"
    page.evaluate("localStorage.clear()")


def test_the_keyboard_reaches_everything(page, grid_address):
    page.goto(grid_address)
    page.wait_for_selector(PLOT)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.get_by_role("link", name="Time against multiply-adds").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Time against multiply-adds").wait_for()
    page.locator("summary").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.type === 'search'")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.value === 'grid'")
    page.keyboard.press("Space")
    page.wait_for_url("**sweep=grid*")


def test_what_regions_find(page, runs, serve):
    page.goto(serve(Store(runs)) + "/proposals")
    page.get_by_text("python -m tradeoffs.proposals").wait_for()
    write_proposals(runs / "proposals/one", {1: 0.1, 10: 0.4, 1000: 0.8})
    page.wait_for_selector(PLOT)
    choose(page, "Recall", "average recall, IoU 0.5 to 0.95")
    page.wait_for_url("**recall=average*")
    page.locator(".ytitle", has_text="average recall").wait_for()
    choose(page, "Number of regions", "10")
    page.locator(".ytitle", has_text="first 10 regions").wait_for()
    assert query(page) == {"recall": ["average"], "regions": ["10"]}
    page.locator(".points path.point").first.hover(force=True)
    page.get_by_text("at 1: 0.075").wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    assert no_wider_than_the_window(page)


def test_the_limit_is_dragged_and_answered(page, grid_address):
    page.goto(grid_address)
    box = page.locator(".shapelayer path").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 300, y, steps=4)
    page.mouse.up()
    page.wait_for_url("**limit=*")
    (value,) = query(page)["limit"]
    page.get_by_text(f"has the highest mAP below {value} ms").wait_for()
    field = page.get_by_role("group", name=re.compile("Which is best")).locator("input")
    assert field.input_value() == value
    field.fill("12")
    field.press("Enter")
    page.get_by_text("has the highest mAP below 12 ms").wait_for()
    assert query(page)["limit"] == ["12"]
