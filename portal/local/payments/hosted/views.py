"""Fills the pages' templates."""

from collections.abc import Mapping

from portal.local.payments.money import written
from portal.local.payments.store import Object

from .form import CardForm
from .markup import Markup, fill
from .texts import TEXTS

_HELP = (
    "4242424242424242",
    "4000000000000002",
    "4000000000009995",
    "4000002500003155",
    "4000002760003184",
)
_NOTHING = Markup("")


def checkout(
    lang: str, merchant: str, session: Object, form: CardForm, problem: Object | None
) -> Markup:
    """The card form of an open session. `problem` is the card error of the last attempt."""
    text = TEXTS[lang]
    paying = session["mode"] == "payment"
    saves = not paying or session["_intent"].get("setup_future_usage")
    amount = written(session["amount_total"], session["currency"]) if paying else ""
    email = (session["customer_details"] or {}).get("email")
    body = fill(
        "checkout",
        action=f"/checkout/{session['id']}",
        summary=_summary(text, merchant, session, amount),
        heading=text["card_heading" if paying else "save_heading"],
        alert=_alert(text, form, problem, paying=paying),
        email=fill("email", label=text["email"], email=email) if email else _NOTHING,
        fields=_fields(text, form),
        later=fill("note", text=text["later"].format(merchant=merchant)) if saves else _NOTHING,
        submit=text["pay"].format(amount=amount) if paying else text["save"],
        cancel=_link("cancel", session["cancel_url"], text["cancel"]),
        help=_help(text),
    )
    return _document(lang, text["pay_title" if paying else "save_title"], merchant, body)


def authenticate(lang: str, merchant: str, intent: Object, method: Object) -> Markup:
    """The bank's question."""
    text = TEXTS[lang]
    paying = intent["object"] == "payment_intent"
    rows = [(text["secure_merchant"], merchant)]
    if paying:
        rows.append((text["secure_amount"], written(intent["amount"], intent["currency"])))
    rows.append(
        (text["secure_card"], f"{method['card']['brand'].upper()} •••• {method['card']['last4']}")
    )
    body = fill(
        "authenticate",
        action=f"/authenticate/{intent['id']}",
        heading=text["secure_heading"],
        lead=text["secure_lead" if paying else "secure_save_lead"],
        rows=Markup("".join(fill("fact", term=term, value=value) for term, value in rows)),
        complete=text["complete"],
        fail=text["fail"],
    )
    return _document(lang, text["secure_title"], merchant, body)


def message(lang: str, merchant: str, state: str, target: str | None) -> Markup:
    """A page that only says what is the case: `paid`, `saved`, `expired`, `unknown`, …"""
    text = TEXTS[lang]
    body = fill(
        "message",
        state=state,
        heading=text[f"{state}_title"],
        lead=text[f"{state}_lead"],
        back=_link("back", target, text["back"].format(merchant=merchant)),
    )
    return _document(lang, text[f"{state}_title"], merchant, body)


def _document(lang: str, title: str, merchant: str, body: Markup) -> Markup:
    text = TEXTS[lang]
    return fill(
        "document",
        lang=lang,
        title=f"{title} · {merchant}",
        merchant=merchant,
        initial=merchant[:1].upper(),
        test_mode=text["test_mode"],
        test_note=text["test_note"],
        body=body,
    )


def _summary(text: Mapping[str, str], merchant: str, session: Object, amount: str) -> Markup:
    if session["mode"] == "setup":
        return fill(
            "summary_save", title=text["save_to"].format(merchant=merchant), lead=text["save_lead"]
        )
    lines = []
    for item in session["_line_items"]:
        details = [item["_details"]] if item["_details"] else []
        if item["quantity"] > 1:
            price = written(item["price"]["unit_amount"], item["currency"])
            details.append(text["each"].format(quantity=item["quantity"], price=price))
        lines.append(
            fill(
                "line",
                name=item["description"],
                amount=written(item["amount_total"], item["currency"]),
                details=Markup("".join(fill("detail", text=detail) for detail in details)),
            )
        )
    return fill(
        "summary",
        title=text["pay_to"].format(merchant=merchant),
        amount=amount,
        currency=session["currency"].upper(),
        lines=Markup("".join(lines)),
        total=text["total"],
    )


def _alert(
    text: Mapping[str, str], form: CardForm, problem: Object | None, *, paying: bool
) -> Markup:
    if form.errors:
        reason = text["error_check"]
    elif problem is not None:
        known = text.get(problem.get("decline_code", "")) or text.get(problem["code"])
        reason = known or problem["message"]
    else:
        return _NOTHING
    heading = text["error_heading" if paying else "error_save_heading"]
    return fill("alert", heading=heading, reason=reason)


def _fields(text: Mapping[str, str], form: CardForm) -> Markup:
    hints = {
        "card_number": "1234 1234 1234 1234",
        "exp": text["exp_hint"],
        "cvc": "123",
        "name": "",
    }
    kept = {"exp": form.exp, "name": form.name}
    complete = {"card_number": "number", "exp": "exp", "cvc": "csc", "name": "name"}
    fields = []
    for name, hint in hints.items():
        error = text[form.errors[name]] if name in form.errors else ""
        fields.append(
            fill(
                "field",
                name=name,
                label=text[name],
                hint=hint,
                value=kept.get(name, ""),
                autocomplete=f"cc-{complete[name]}",
                inputmode="text" if name == "name" else "numeric",
                invalid="true" if error else "false",
                error=error,
            )
        )
    return Markup("".join(fields))


def _link(name: str, url: str | None, label: str) -> Markup:
    return fill("link", name=name, url=url, label=label) if url else _NOTHING


def _help(text: Mapping[str, str]) -> Markup:
    rows = [
        fill(
            "help_row",
            number=number,
            grouped=" ".join(number[i : i + 4] for i in range(0, len(number), 4)),
            effect=text[f"help_{number[-4:]}"],
            use=text["use"],
        )
        for number in _HELP
    ]
    return fill("help", title=text["help"], lead=text["help_lead"], rows=Markup("".join(rows)))
