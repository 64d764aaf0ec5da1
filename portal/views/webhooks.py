"""Where Stripe reports to: events are stored, and processed in the background."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import payments, services


@csrf_exempt
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """Store a signed event. Anything else is refused, so that Stripe shows it in its dashboard."""
    try:
        services.webhook_receive(
            payload=request.body,
            signature=request.headers.get("Stripe-Signature", ""),
            now=timezone.now(),
        )
    except payments.BadSignature:
        return HttpResponse("The signature does not match.", status=400, content_type="text/plain")
    return HttpResponse(status=200)


urlpatterns = [path("webhooks/stripe/", stripe, name="stripe-webhook")]
