"""Files that are no pictures, through the whole stack: posted, planned, converted, reported."""

import io
import json

import httpx
import pytest
from PIL import Image

from conversions import backend
from conversions.models import Conversion, ConversionState, Upload, UploadError, UploadState
from tenants.models import Meter, UsageDay
from tests.conversions.conftest import Post, finish
from tests.conversions.filetypes.documents import document

pytestmark = pytest.mark.django_db(transaction=True)


def variants(upload: Upload) -> dict[str, httpx.Response]:
    """Return what storage has of each variant, by the preset's code."""
    conversions = Conversion.objects.filter(upload=upload, state=ConversionState.DONE)
    found = {each.preset_code: httpx.get(backend.link(key=each.key)) for each in conversions}
    assert {answer.status_code for answer in found.values()} <= {200}
    return found


def test_a_pdf_becomes_a_picture_of_its_first_page(post: Post) -> None:
    upload = finish(post(document(pages=2)))
    assert upload.state == UploadState.DONE, upload.error_code
    assert (upload.file_type, upload.format) == ("pdf", "PDF")
    (page,) = variants(upload).items()
    assert page[0] == "pdf-page"
    assert page[1].headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(page[1].content)).size == (1280, 1810)


def test_a_csv_becomes_utf8_and_json(post: Post) -> None:
    upload = finish(post("名前,年齢\r\n山田太郎,030\r\n鈴木花子,25\r\n".encode("cp932")))
    assert upload.state == UploadState.DONE, upload.error_code
    assert (upload.file_type, upload.format, upload.width) == ("text", "CSV", None)
    made = variants(upload)
    assert made.keys() == {"utf8", "json"}
    assert made["utf8"].content.decode() == "名前,年齢\n山田太郎,030\n鈴木花子,25\n"
    assert made["utf8"].headers["content-type"] == "text/csv; charset=utf-8"
    assert made["json"].json() == [
        {"名前": "山田太郎", "年齢": "030"},
        {"名前": "鈴木花子", "年齢": "25"},
    ]
    assert UsageDay.objects.get(meter=Meter.CONVERSIONS).used == 2


def test_json_becomes_csv(post: Post) -> None:
    upload = finish(post(json.dumps([{"a": 1, "b": [2]}, {"c": "x"}]).encode()))
    assert upload.state == UploadState.DONE, upload.error_code
    assert variants(upload)["csv"].text == "a,b,c\n1,[2],\n,,x\n"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (document(owner_password="o", user_password="u"), UploadError.LOCKED),
        (b"\x7fELF\2\1\1\0", UploadError.NOT_SUPPORTED),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UploadError.NOT_SUPPORTED),
    ],
    ids=["locked", "program", "drawing"],  # not the bytes: a locked file's are new each time
)
def test_what_cannot_be_converted_is_refused_with_a_reason(
    post: Post, data: bytes, error: UploadError
) -> None:
    upload = finish(post(data))
    assert (upload.state, upload.error_code) == (UploadState.FAILED, error)
    assert not upload.may_retry


def test_of_a_broken_table_there_is_what_could_be_made(post: Post) -> None:
    upload = finish(post(b"a,b\n1,2\n3,4\n5,6\n7\n"))
    assert (upload.state, upload.error_code) == (UploadState.FAILED, UploadError.NOT_A_TABLE)
    assert variants(upload).keys() == {"utf8"}
