"""What callers meet: stages, domain names, keys, plans; and tags of all of these."""

from collections.abc import Callable
from typing import Any

from tests.local.aws.apis import unique
from tests.local.aws.conformance.checks import Watched, new_api, patches, refused, shown
from tests.local.aws.program import TODAY


def stages(client: Watched) -> None:
    at = new_api(client)
    root = client.get_resources(**at)["items"][0]["id"]
    client.put_method(**at, resourceId=root, httpMethod="GET", authorizationType="NONE")
    first = client.create_deployment(**at, description="one", stageName="a")["id"]
    second = client.create_deployment(**at)["id"]
    deployed = {**at, "deploymentId": first}
    changed = patches(("replace", "/description", "the first"))
    client.update_deployment(**deployed, patchOperations=changed)
    shown(client.get_deployment(**deployed), id=first, description="the first")
    assert {item["id"] for item in client.get_deployments(**at)["items"]} == {first, second}
    client.create_stage(
        **at, stageName="b", deploymentId=second, description="d", variables={"v": "1"}
    )
    one = {**at, "stageName": "b"}
    client.update_stage(
        **one,
        patchOperations=patches(
            ("replace", "/variables/w", "a/b"),
            ("remove", "/variables/v", None),
            ("replace", "/tracingEnabled", "true"),
            ("replace", "/deploymentId", first),
            ("replace", "/accessLogSettings/format", "$context.requestId"),
            ("replace", "/*/*/throttling/rateLimit", "12.5"),
            ("replace", "/*/*/throttling/burstLimit", "7"),
            ("replace", "/~1x/GET/logging/dataTrace", "true"),
        ),
    )
    stage = client.get_stage(**one)
    shown(
        stage,
        variables={"w": "a/b"},
        tracingEnabled=True,
        deploymentId=first,
        description="d",
        accessLogSettings={"format": "$context.requestId"},
    )
    everywhere = stage["methodSettings"]["*/*"]
    shown(everywhere, throttlingRateLimit=12.5, throttlingBurstLimit=7, loggingLevel="OFF")
    assert sum(each["dataTraceEnabled"] for each in stage["methodSettings"].values()) == 1
    client.update_stage(**one, patchOperations=patches(("remove", "/*/*", None)))
    assert "*/*" not in client.get_stage(**one)["methodSettings"]
    for triple in (
        ("replace", "/stageName", "c"),
        ("replace", "/canarySettings/x", "1"),
        ("replace", "/*/*/throttling/rateLimit", "many"),
        ("replace", "/*/*/throttling/nonsense", "1"),
        ("replace", "/*/*", "1"),
        ("replace", "/methodSettings/*~1*/throttlingRateLimit", "1"),
    ):
        operations = patches(triple)
        refused("BadRequestException", client.update_stage, **one, patchOperations=operations)
    canary = {"percentTraffic": 50.0}
    for call, settings in (
        (client.create_stage, {"stageName": "c", "deploymentId": first}),
        (client.create_deployment, {"stageName": "a"}),
    ):
        refused("BadRequestException", call, **at, **settings, canarySettings=canary)

    def named(**filters: str) -> set[str]:
        return {item["stageName"] for item in client.get_stages(**at, **filters)["item"]}

    assert named() == named(deploymentId=first) == {"a", "b"}
    assert named(deploymentId=second) == set()
    nowhere = patches(("replace", "/deploymentId", "nosuch"))
    refused("BadRequestException", client.update_stage, **one, patchOperations=nowhere)
    for name, deployment, code in (
        ("b", first, "ConflictException"),
        ("c", "nosuch", "BadRequestException"),
    ):
        refused(code, client.create_stage, **at, stageName=name, deploymentId=deployment)
    refused("BadRequestException", client.delete_deployment, **at, deploymentId=first)
    client.delete_deployment(**at, deploymentId=second)
    refused("NotFoundException", client.get_deployment, **at, deploymentId=second)
    client.delete_stage(**one)
    refused("NotFoundException", client.get_stage, **one)


def domains(client: Watched) -> None:
    api = new_api(client)
    client.create_deployment(**api, stageName="s")
    name = {"domainName": f"{unique('d')}.example.org"}
    client.create_domain_name(**name, endpointConfiguration={"types": ["REGIONAL"]})
    shown(client.get_domain_name(**name), **name, endpointConfiguration={"types": ["REGIONAL"]})
    listed = client.get_domain_names(limit=500)["items"]
    assert name["domainName"] in {item["domainName"] for item in listed}
    client.create_base_path_mapping(**name, **api, basePath="v1", stage="s")
    for target in ({"restApiId": "nosuch"}, {**api, "stage": "nosuch"}):
        refused("BadRequestException", client.create_base_path_mapping, **name, **target)
    mapping = {**name, "basePath": "v1"}
    expected = {"basePath": "v1", "restApiId": api["restApiId"], "stage": "s"}
    shown(client.get_base_path_mapping(**mapping), **expected)
    refused("ConflictException", client.create_domain_name, **name)
    refused("ConflictException", client.create_base_path_mapping, **name, **api, basePath="v1")
    [listed] = client.get_base_path_mappings(**name)["items"]
    shown(listed, **expected)
    client.delete_base_path_mapping(**mapping)
    refused("NotFoundException", client.get_base_path_mapping, **mapping)
    client.delete_domain_name(**name)
    refused("NotFoundException", client.get_domain_name, **name)


def keys_and_plans(client: Watched) -> None:
    api = new_api(client)
    client.create_deployment(**api, stageName="s")
    key = client.create_api_key(name=unique("conforming"), enabled=True)
    at_key = {"apiKey": key["id"]}
    client.update_api_key(**at_key, patchOperations=patches(("replace", "/enabled", "false")))
    shown(client.get_api_key(**at_key, includeValue=True), enabled=False, value=key["value"])
    assert "value" not in client.get_api_key(**at_key)
    [listed] = client.get_api_keys(nameQuery=key["name"])["items"]
    shown(listed, id=key["id"])
    plan = client.create_usage_plan(
        name=unique("conforming"),
        apiStages=[{"apiId": api["restApiId"], "stage": "s"}],
        throttle={"rateLimit": 1.5, "burstLimit": 2},
        quota={"limit": 5, "period": "DAY"},
    )
    at_plan = {"usagePlanId": plan["id"]}
    client.update_usage_plan(**at_plan, patchOperations=patches(("replace", "/quota/limit", "6")))
    shown(client.get_usage_plan(**at_plan), quota={"limit": 6, "offset": 0, "period": "DAY"})
    joined = {**at_plan, "keyId": key["id"]}
    client.create_usage_plan_key(**joined, keyType="API_KEY")
    shown(client.get_usage_plan_key(**joined), id=key["id"], name=key["name"])
    [attached] = client.get_usage_plan_keys(**at_plan)["items"]
    shown(attached, id=key["id"])
    assert [item["id"] for item in client.get_usage_plans(keyId=key["id"])["items"]] == [plan["id"]]
    client.update_usage(**joined, patchOperations=patches(("replace", "/remaining", "3")))
    usage = client.get_usage(**at_plan, startDate=TODAY, endDate=TODAY)
    assert usage["items"] == {key["id"]: [[0, 3]]}
    client.delete_usage_plan_key(**joined)
    refused("NotFoundException", client.get_usage_plan_key, **joined)
    client.update_usage_plan(
        **at_plan, patchOperations=patches(("remove", "/apiStages", f"{api['restApiId']}:s"))
    )
    client.delete_usage_plan(**at_plan)
    refused("NotFoundException", client.get_usage_plan, **at_plan)
    client.delete_api_key(**at_key)
    refused("NotFoundException", client.get_api_key, **at_key)


def tags(client: Watched) -> None:
    api = client.create_rest_api(name="tagged", tags={"a": "1"})["id"]
    client.create_deployment(restApiId=api, stageName="s")
    key = client.create_api_key(name="tagged", tags={"a": "1"})["id"]
    plan = client.create_usage_plan(name="tagged", tags={"a": "1"})["id"]
    client.tag_resource(
        resourceArn=f"arn:aws:apigateway:us-east-1::/restapis/{api}/stages/s", tags={"a": "1"}
    )
    shows: dict[str, Callable[[], Any]] = {
        f"restapis/{api}": lambda: client.get_rest_api(restApiId=api),
        f"restapis/{api}/stages/s": lambda: client.get_stage(restApiId=api, stageName="s"),
        f"apikeys/{key}": lambda: client.get_api_key(apiKey=key),
        f"usageplans/{plan}": lambda: client.get_usage_plan(usagePlanId=plan),
    }
    for path, show in shows.items():
        arn = {"resourceArn": f"arn:aws:apigateway:us-east-1::/{path}"}
        client.tag_resource(**arn, tags={"b": "2", "c": "3"})
        client.untag_resource(**arn, tagKeys=["a", "b"])
        assert client.get_tags(**arn)["tags"] == show()["tags"] == {"c": "3"}
    for path, code in (
        ("restapis/nosuch", "NotFoundException"),
        ("apikeys/nosuch", "NotFoundException"),
        ("vpclinks/x", "BadRequestException"),
    ):
        arn = {"resourceArn": f"arn:aws:apigateway:us-east-1::/{path}"}
        refused(code, client.get_tags, **arn)
