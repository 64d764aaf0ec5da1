"""Answers of the presets' live preview: nothing that is posted is saved, or written to a disk."""

import base64
from collections.abc import Callable
from functools import wraps
from typing import IO, Any

from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt

from conversions import backend
from conversions.forms import PreviewForm
from conversions.imaging import FileRefused
from conversions.models import AppliesTo, Preset, UploadError
from conversions.previews import SAMPLES, DoesNotApply, Preview, preview

View = Callable[..., HttpResponse]
OWN = "own"
MOST_POSTED = backend.LARGEST + 1_000_000  # a file as large as uploads may be, and the form's rest
MOST_SHOWN = 1500  # characters of a text
_SHOWN_BY_BROWSERS = {"JPEG", "PNG", "WEBP", "AVIF", "GIF"}


class _InMemory(MemoryFileUploadHandler):
    """Keeps files in memory, and drops those of a request that is too large."""

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: dict[str, str],  # noqa: N803  (Django's name)
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        self.activated = content_length <= MOST_POSTED


def posted_in_memory(view: View) -> View:
    """Have a view's files kept in memory alone.

    The token is checked all the same, by the admin's wrapper, once the handler is in its place.
    """

    @csrf_exempt
    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.upload_handlers = [_InMemory(request)]
        return view(request, *args, **kwargs)

    return wrapper


def sample(_request: HttpRequest, code: str) -> HttpResponse:
    """Answer with a sample as it is, for the preview to show beside the variant."""
    if code not in SAMPLES:
        raise Http404
    answer = HttpResponse(SAMPLES[code].data, content_type=SAMPLES[code].media_type)
    answer["Cache-Control"] = "private, max-age=3600"
    return answer


def previewed(request: HttpRequest) -> HttpResponse:
    """Answer with the variant that the posted fields make, or with what is wrong with them."""
    form = PreviewForm(request.POST, request.FILES)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        context |= _made(request, form.instance)
    return render(request, "admin/conversions/preset/preview.html", context)


def _made(request: HttpRequest, preset: Preset) -> dict[str, Any]:
    """Make the variant of what was chosen: a sample, else the first one of the preset's kind."""
    code, own = request.POST.get("sample"), request.FILES.get("picture")
    chosen = SAMPLES.get(code or "")
    if chosen is None or chosen.kind != preset.applies_to:
        chosen = next(each for each in SAMPLES.values() if each.kind == preset.applies_to)
    if code == OWN and own is None:
        return {"refusal": gettext("Choose a file of at most 20 MB.")}
    data = own.read() if code == OWN and own else chosen.data
    try:
        made = preview(data=data, recipe=preset.recipe(), watermark=bytes(preset.watermark or b""))
    except FileRefused as refusal:
        return {"refusal": _text_of(refusal)}
    except DoesNotApply:
        return {"refusal": gettext("This preset makes nothing of files of this kind.")}
    return {"made": made, "sample": None if code == OWN else chosen, **_shown(made, preset)}


def _shown(made: Preview, preset: Preset) -> dict[str, Any]:
    """Say how source and variant are shown: a text as such, a picture in the page itself."""
    if preset.applies_to == AppliesTo.TEXT:
        return {"before_text": _text(made.source.data), "text": _text(made.variant.data)}
    picture = base64.b64encode(made.variant.data).decode()
    return {
        "address": f"data:{made.media_type};base64,{picture}",
        "before_is_shown": made.source.format in _SHOWN_BY_BROWSERS,
        "share": round(len(made.variant.data) * 100 / len(made.source.data)),
        "milliseconds": round(made.seconds * 1000),
    }


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")[:MOST_SHOWN]


def _text_of(refusal: FileRefused) -> str:
    """Return why a file is refused, in the operator's language where the code is known."""
    try:
        return str(UploadError(refusal.code).label)
    except ValueError:
        return str(refusal)
