"""What follows from the template is what was written down, and says what the gateway does."""

import re

from conversions import reference

TEMPLATE = reference.TEMPLATE.read_text(encoding="utf-8")


def test_the_document_is_what_the_template_makes() -> None:
    """If this fails, run `manage.py api_reference`."""
    assert reference.DOCUMENT.read_text(encoding="utf-8") == reference.rendered(TEMPLATE)


def test_the_deployment_is_named_for_what_it_serves() -> None:
    """On AWS, only a deployment of a new name brings a changed method to callers."""
    name = reference.deployment_name(TEMPLATE)
    assert set(re.findall(r"\bDeployment[0-9a-f]{12}\b", TEMPLATE)) == {name}


def test_a_changed_method_makes_a_new_deployment_and_a_changed_text_does_not() -> None:
    name = reference.deployment_name(TEMPLATE)
    slower = TEMPLATE.replace('"statusCode": 204', '"statusCode": 200')
    told = TEMPLATE.replace("summary: Who am I?", "summary: Who?")
    assert reference.deployment_name(slower) != name
    assert reference.deployment_name(told) == name


def test_a_deployment_waits_for_all_that_it_is_to_serve() -> None:
    resources = reference.resources(TEMPLATE)
    waits = set(resources[reference.deployment_name(TEMPLATE)]["DependsOn"])
    kinds = {"AWS::ApiGateway::Method", "AWS::ApiGateway::GatewayResponse"}
    assert waits == {name for name, made in resources.items() if made["Type"] in kinds}


def test_every_route_is_described_and_every_key_is_asked_for() -> None:
    document = reference.document()
    methods = [
        made["Properties"]
        for made in reference.resources(TEMPLATE).values()
        if made["Type"] == "AWS::ApiGateway::Method"
    ]
    keyed = [method for method in methods if method["HttpMethod"] != "OPTIONS"]
    assert all(method["ApiKeyRequired"] for method in keyed)
    assert len(keyed) == sum(len(verbs) for verbs in document["paths"].values())
    paths = document["paths"].items()
    described = [f"{verb.upper()} {path}" for path, verbs in paths for verb in verbs]
    assert set(described) == {
        "GET /v1/ping",
        "POST /v1/uploads",
        "GET /v1/uploads",
        "GET /v1/uploads/{upload}",
        "PATCH /v1/uploads/{upload}",
        "DELETE /v1/uploads/{upload}",
        "POST /v1/jobs",
        "GET /v1/jobs/{job}",
        "POST /v1/events",
        "POST /v1/workflows/ingest",
        "GET /v1/workflows/ingest/{execution}",
        "GET /v1/account/usage",
        "GET /v1/account/{proxy}",
    }


def test_no_function_invokes_a_function() -> None:
    # The state machine, the API and the access log may.
    assert TEMPLATE.count("lambda:InvokeFunction") == 3
    for source in (reference.HERE / "functions").glob("*.py"):
        assert 'client("lambda")' not in source.read_text(encoding="utf-8")
