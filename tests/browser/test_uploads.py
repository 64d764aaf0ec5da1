"""Uploads in a browser: many dropped files, their variants, before and after, links, archives."""

import base64
import re
import zipfile
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect
from playwright.sync_api import TimeoutError as NothingCame

from portal.supervisor.stack import Stack
from tests.browser.acts import Check, Visit, sign_up

SLOW = 120_000  # milliseconds: two cores make all variants of all files

# What a hand does with files over a page. A script cannot make folders (see drop_folder).
DROP = """files => {
  const data = new DataTransfer();
  for (const {name, type, bytes} of files) {
    const content = Uint8Array.from(atob(bytes), (each) => each.charCodeAt(0));
    data.items.add(new File([content], name, {type}));
  }
  const event = {dataTransfer: data, bubbles: true, cancelable: true};
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const target = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
    target.dispatchEvent(new DragEvent(kind, event));
  }
}"""
PASTE = """({name, type, bytes}) => {
  const data = new DataTransfer();
  const content = Uint8Array.from(atob(bytes), (each) => each.charCodeAt(0));
  data.items.add(new File([content], name, {type}));
  document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
}"""


@pytest.fixture
def small(tmp_path: Path, picture: Path) -> bytes:
    """A picture that is quick to convert."""
    path = tmp_path / "small.jpg"
    with Image.open(picture) as image:
        image.resize((600, 400)).save(path, quality=95)
    return path.read_bytes()


def a_file(name: str, data: bytes, kind: str = "image/jpeg") -> dict[str, str]:
    return {"name": name, "type": kind, "bytes": base64.b64encode(data).decode()}


def drop_folder(page: Page, folder: Path) -> None:
    """Drop a folder of this machine onto the page, as a hand does."""
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.context.new_cdp_session(page).send(
            "Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 400, "data": data}
        )


def upload(page: Page, name: str) -> Locator:
    return page.locator(f"article[data-name='{name}']")


def done(page: Page, name: str) -> Locator:
    """Wait until a file has all its variants, without a reload."""
    article = upload(page, name)
    expect(article.locator(".badge", has_text="Done")).to_be_visible(timeout=SLOW)
    expect(article.get_by_test_id("variant")).to_have_count(3)
    return article


def test_from_many_dropped_files_to_links_and_archives(
    visit: Visit, axe: Check, small: bytes, tmp_path: Path
) -> None:
    page = visit()
    sign_up(page, organization="Gallery Ltd")
    page.goto("/uploads/")
    expect(page.get_by_text("No files yet")).to_be_visible()
    axe(page)

    dropped = [a_file(f"holiday {number}.jpg", small) for number in range(6)]
    page.evaluate(DROP, [*dropped, a_file("empty.jpg", b""), a_file("junk.jpg", small[:200])])
    expect(page.locator("#transfers-sum")).to_have_text(
        "7 of 8 files are uploaded, 1 failed", timeout=SLOW
    )
    expect(page.locator("#transfers-said")).to_have_text("7 of 8 files are uploaded, 1 failed")
    expect(page.locator(".transfer[data-state=failed]")).to_contain_text("The file is empty.")
    axe(page)
    for number in range(6):
        done(page, f"holiday {number}.jpg")
    expect(upload(page, "junk.jpg")).to_contain_text("Failed", timeout=SLOW)
    expect(page.get_by_text("No files yet")).to_be_hidden()
    axe(page)

    before_and_after(page, axe)
    links_open_for_strangers(page, visit, axe)

    page.reload()
    expect(page.get_by_test_id("page-savings")).to_contain_text("smaller, on average")
    for name in ("holiday 1.jpg", "holiday 2.jpg"):
        upload(page, name).get_by_role("checkbox").check()
    expect(page.locator("#picked-count")).to_have_text("2 chosen")
    page.get_by_label("with originals").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 8
        assert archive.read("holiday 1.jpg") == small

    search_delete_and_undo(page, axe)


def before_and_after(page: Page, axe: Check) -> None:
    article = upload(page, "holiday 3.jpg")
    article.get_by_role("link", name=re.compile("Compare .* Web")).click()
    viewer = page.get_by_role("dialog")
    expect(viewer).to_contain_text("600 × 400")
    for side in ("#viewer-before", "#viewer-after"):
        expect(page.locator(side)).not_to_have_js_property("naturalWidth", 0)
    boxes = [page.locator(side).bounding_box() for side in ("#viewer-before", "#viewer-after")]
    assert boxes[0] == boxes[1]  # the same frame
    axe(page)
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_value("0")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1")
    page.locator("#viewer-variants").get_by_label("Web").focus()
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("AVIF · 600 × 400")
    page.get_by_text("Side by side").click()
    expect(slider).to_be_hidden()
    axe(page)
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()


def links_open_for_strangers(page: Page, visit: Visit, axe: Check) -> None:
    article = upload(page, "holiday 3.jpg")
    article.get_by_role("link", name="Links").click()
    page.get_by_label("Good for").select_option("hour")
    page.get_by_role("button", name="Make links").click()
    signed = page.get_by_test_id("signed-links").get_by_test_id("link").first.inner_text()
    page.get_by_role("button", name="Switch public addresses on").click()
    public = page.get_by_test_id("public-links").get_by_test_id("link").first.inner_text()
    expect(page.get_by_test_id("signed-links")).to_be_visible()  # they are not lost by that
    assert "<img" in page.get_by_test_id("public-links").get_by_test_id("link-html").inner_text()
    axe(page)
    for address in (signed, public):
        answer = httpx.get(address, follow_redirects=True)
        assert answer.headers["Content-Type"].startswith("image/")
    page.get_by_role("button", name="Switch public addresses off").click()
    expect(page.get_by_test_id("public-links")).to_have_count(0)
    assert httpx.get(public).status_code == 404
    assert httpx.get(signed).status_code == 302
    page.keyboard.press("Escape")
    expect(article.get_by_text("Public")).to_have_count(0)
    stranger = visit(locale="ja-JP")
    stranger.goto("/uploads/")
    expect(stranger).to_have_url(re.compile("/accounts/login/"))


def search_delete_and_undo(page: Page, axe: Check) -> None:
    page.goto("/uploads/")
    page.get_by_label("File name").fill("HOLIDAY 4")
    with page.expect_navigation():  # until its scripts are there, too
        page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"q=HOLIDAY\+4"))
    expect(page.get_by_test_id("upload")).to_have_count(1)
    page.get_by_role("button", name="Delete holiday 4.jpg").click()
    expect(page.get_by_test_id("upload")).to_have_count(0)
    expect(page.locator("#toast-said")).to_have_text("1 file was deleted.")
    expect(page.get_by_text("Nothing was found")).to_be_visible()
    expect(page.get_by_role("link", name="Download what was found")).to_be_hidden()
    axe(page)
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("upload")).to_have_count(1)
    expect(page.get_by_text("Nothing was found")).to_be_hidden()
    page.reload()
    expect(page.get_by_test_id("upload")).to_have_count(1)
    page.goto("/uploads/?q=nothing")
    expect(page.get_by_text("Nothing was found")).to_be_visible()
    axe(page)


def test_what_is_open_chosen_or_scrolled_to_survives_news(visit: Visit, small: bytes) -> None:
    page = visit()
    sign_up(page, organization="Steady Ltd")
    page.goto("/uploads/")
    page.evaluate(DROP, [a_file("first.jpg", small)])
    done(page, "first.jpg")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    first = upload(page, "first.jpg")
    first.get_by_role("checkbox").check()
    first.locator("[data-view]").first.click()
    page.evaluate("image => (window.kept = image)", first.locator("img").first.element_handle())
    page.evaluate(PASTE, a_file("pasted.png", small))
    done(page, "pasted.png")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(first.get_by_role("checkbox")).to_be_checked()
    assert page.evaluate("() => kept.isConnected")  # no picture was drawn anew
    assert any("/news/" in address for address in asked)
    expect(page.locator("[data-ask-again]")).to_have_count(0)
    with pytest.raises(NothingCame), page.expect_request("**/news/**", timeout=2500):
        pass  # nothing is unfinished, so nobody asks


def test_transfers_are_cancelled_and_tried_again(visit: Visit, small: bytes, stack: Stack) -> None:
    page = visit()
    sign_up(page, organization="Second Thoughts Ltd")
    page.goto("/uploads/")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(f"{stack.environment['AWS_ENDPOINT_URL']}/**", hold)
    page.evaluate(DROP, [a_file(f"{number}.jpg", small) for number in range(300)])
    expect(page.locator(".transfer")).to_have_count(300)
    expect(page.locator(".transfer[data-state=running]")).to_have_count(4)
    page.get_by_role("button", name="Cancel 0.jpg").click()
    expect(page.locator(".transfer[data-state=cancelled]")).to_have_count(1)
    expect(page.locator(".transfer[data-state=running]")).to_have_count(4)
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator(".transfer[data-state=cancelled]")).to_have_count(300)
    expect(page.locator("#transfers-sum")).to_have_text("0 of 300 files are uploaded, 300 failed")
    page.unroute_all(behavior="ignoreErrors")
    page.get_by_role("button", name="Try again 7.jpg").click()
    done(page, "7.jpg")
    expect(page.get_by_test_id("upload")).to_have_count(1)  # what was cancelled was taken back


def test_a_folder_is_dropped_with_what_is_in_its_folders(
    visit: Visit, small: bytes, tmp_path: Path
) -> None:
    page = visit()
    sign_up(page, organization="Folders Ltd")
    page.goto("/uploads/")
    folder = tmp_path / "holidays"
    (folder / "2026").mkdir(parents=True)
    for name in ("near.jpg", ".DS_Store", "2026/far.jpg"):
        (folder / name).write_bytes(small)
    drop_folder(page, folder)
    expect(page.locator("#transfers-sum")).to_have_text("2 of 2 files are uploaded", timeout=SLOW)
    for name in ("near.jpg", "far.jpg"):
        expect(upload(page, name)).to_be_visible()


def test_without_scripts_the_page_explains_and_deletes(visit: Visit, small: bytes) -> None:
    page = visit()
    sign_up(page, organization="Plain Ltd")
    page.goto("/uploads/")
    page.evaluate(DROP, [a_file("plain.jpg", small)])
    done(page, "plain.jpg")
    plain = visit(java_script_enabled=False, storage_state=page.context.storage_state())
    plain.goto("/uploads/")
    assert "Uploading needs JavaScript" in plain.content()  # Chromium shows it to real people only
    plain.get_by_role("link", name="Links plain.jpg").click()
    plain.get_by_role("button", name="Make links").click()
    expect(plain.get_by_test_id("link")).to_have_count(3)
    plain.get_by_role("link", name="Close").click()
    plain.get_by_role("button", name="Delete plain.jpg").click()
    expect(plain.get_by_text("1 file was deleted.")).to_be_visible()
    plain.get_by_role("button", name="Undo").click()
    expect(plain.get_by_test_id("upload")).to_have_count(1)
