"""Sign-up requests in the admin: approve them, or refuse them with a reason."""

from collections.abc import Callable

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import services
from billing.models import SignUpRequest
from tenants.admin_tools import ReadOnly, ask, is_answered, operator
from tenants.errors import Refused


class _RefusalForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("Whoever asked is told it. It may be left out."),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )


@admin.register(SignUpRequest)
class SignUpRequestAdmin(ReadOnly, ModelAdmin):
    list_display = [
        "organization", "user", "plan", "currency", "state", "created_at", "submitted_at",
        "decided_by",
    ]  # fmt: skip
    list_filter = ["state", ("submitted_at", admin.EmptyFieldListFilter), "plan"]
    search_fields = ["organization", "user__email"]
    list_select_related = ["user", "plan", "decided_by"]
    date_hierarchy = "created_at"
    actions = ["approve", "refuse"]

    @admin.action(description=_("Approve: start these organisations"), permissions=["act"])
    def approve(self, request: HttpRequest, chosen: QuerySet[SignUpRequest]) -> None:
        count = self._each(
            request,
            chosen,
            lambda each: services.sign_up_request_approve(
                request=each, actor=operator(request), now=timezone.now()
            ),
        )
        text = ngettext("%d request is approved.", "%d requests are approved.", count) % count
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)

    @admin.action(description=_("Refuse"), permissions=["act"])
    def refuse(
        self, request: HttpRequest, chosen: QuerySet[SignUpRequest]
    ) -> TemplateResponse | None:
        """Ask for the reason, then refuse them all for it."""
        form = _RefusalForm(request.POST if is_answered(request) else None)
        if not form.is_valid():
            names = ", ".join(str(each) for each in chosen.select_related("user"))
            return ask(
                self,
                request,
                form=form,
                title=str(_("Refuse")),
                explanation=str(_("Refused, and told so by mail: %(names)s.")) % {"names": names},
            )
        count = self._each(
            request,
            chosen,
            lambda each: services.sign_up_request_refuse(
                request=each,
                reason=form.cleaned_data["reason"],
                actor=operator(request),
                now=timezone.now(),
            ),
        )
        text = ngettext("%d request is refused.", "%d requests are refused.", count) % count
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)
        return None

    def _each(
        self,
        request: HttpRequest,
        chosen: QuerySet[SignUpRequest],
        act: Callable[[SignUpRequest], object],
    ) -> int:
        """Do it to each, say which it was refused for, and return how many it was done to."""
        count = 0
        for each in chosen.select_related("user"):
            try:
                act(each)
                count += 1
            except Refused as refusal:
                self.message_user(request, f"{each}: {refusal}", messages.ERROR)
        return count
