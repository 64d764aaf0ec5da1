"""Operations on what ministack keeps that it does not answer as API Gateway does.

They are carried out with ministack's own ones. What it would take and then forget is refused, so
that nobody believes in it.
"""

from urllib.parse import quote, unquote

from portal.local.aws.errors import BadRequest, Conflict, Unsupported
from portal.local.aws.kept import Json, ask, exists, replace
from portal.local.aws.method_settings import filled, path_shown
from portal.local.aws.operations import Parameters, output_shape
from portal.local.aws.patches import patched
from portal.local.aws.plan_patch import patch_operations
from portal.local.aws.wire import Request

# The members that each patch may change, as the reference of each operation lists them.
PATCHABLE = {
    "UpdateAccount": "cloudwatchRoleArn features",
    "UpdateAuthorizer": "authType authorizerCredentials authorizerResultTtlInSeconds authorizerUri"
    " identitySource identityValidationExpression name providerARNs type",
    "UpdateDeployment": "description",
    "UpdateDocumentationPart": "properties",
    "UpdateGatewayResponse": "responseParameters responseTemplates statusCode",
    "UpdateIntegration": "cacheKeyParameters cacheNamespace contentHandling credentials httpMethod"
    " passthroughBehavior requestParameters requestTemplates timeoutInMillis type uri",
    "UpdateIntegrationResponse": "contentHandling responseParameters responseTemplates"
    " selectionPattern",
    "UpdateMethod": "apiKeyRequired authorizationScopes authorizationType authorizerId"
    " operationName requestModels requestParameters requestValidatorId",
    "UpdateMethodResponse": "responseModels responseParameters",
    "UpdateModel": "description schema",
    "UpdateRequestValidator": "name validateRequestBody validateRequestParameters",
    "UpdateRestApi": "apiKeySource binaryMediaTypes description disableExecuteApiEndpoint"
    " endpointConfiguration minimumCompressionSize name policy version",
    "UpdateStage": "accessLogSettings cacheClusterEnabled cacheClusterSize clientCertificateId"
    " deploymentId description documentationVersion tracingEnabled variables",
}
# What ministack has no PATCH for, but a PUT.
_PUT = frozenset(("UpdateGatewayResponse", "UpdateIntegrationResponse", "UpdateMethodResponse"))
# What a creation may not ask for.
_FORGOTTEN = {
    "CreateRestApi": ("cloneFrom",),
    "CreateDeployment": ("canarySettings",),
    "CreateStage": ("canarySettings",),
    "PutIntegration": ("connectionId", "tlsConfig"),
}
# What names a new thing in its collection, or "" where its own path does. ministack would let a
# second one replace the first.
_NAMED_BY = {
    "PutMethod": "",
    "PutMethodResponse": "",
    "CreateBasePathMapping": "basePath",
    "CreateDomainName": "domainName",
    "CreateModel": "name",
    "CreateStage": "stageName",
}
CREATIONS = _FORGOTTEN.keys() | _NAMED_BY.keys()


async def patch(name: str, request: Request, body: Json) -> Json:
    """Carry out a patch. Raises BadRequest, Passed."""
    shape, members = output_shape(name), PATCHABLE[name]
    document = await ask(request, "GET", request.raw_path)
    changes = patched(document, patch_operations(body), shape, members)
    if name in _PUT:
        return await ask(request, "PUT", request.raw_path, {**document, **changes})
    return await replace(request, request.raw_path, changes)


async def patch_stage(request: Request, body: Json) -> Json:
    """Carry out a patch of a stage. Raises BadRequest, Passed."""
    members = PATCHABLE["UpdateStage"]
    operations = [
        (op, path_shown(op, path, members.split()), value)
        for op, path, value in patch_operations(body)
    ]
    document = await ask(request, "GET", request.raw_path)
    shape = output_shape("UpdateStage")
    changes = patched(document, operations, shape, f"{members} methodSettings")
    await _check_deployment(request, changes)
    if changes.get("methodSettings"):
        changes["methodSettings"] = filled(changes["methodSettings"])
    return await replace(request, request.raw_path, changes)


async def create(name: str, request: Request, body: Json) -> Json:
    """Create or put something. Raises Unsupported, Conflict, BadRequest, Passed."""
    for member in _FORGOTTEN.get(name, ()):
        if body.get(member):
            raise Unsupported(f"{member} of {name}")
    if name in _NAMED_BY:
        wanted, path = body.get(_NAMED_BY[name]) or "(none)", request.raw_path
        if _NAMED_BY[name]:
            path += "/" + quote(str(wanted), safe="")
        if await exists(request, path):
            raise Conflict(f"There is one already: {unquote(path)}")
    if name == "CreateStage":
        await _check_deployment(request, body)
    elif name == "CreateBasePathMapping":
        await _check_target(request, body)
    return await ask(request, request.method, request.raw_path, body)


async def _check_deployment(request: Request, stage: Json) -> None:
    """Raises BadRequest where a stage is to be moved to a deployment that is none."""
    deployments = request.raw_path.partition("/stages")[0] + "/deployments"
    wanted = stage.get("deploymentId")
    if wanted is not None and not await exists(request, f"{deployments}/{quote(wanted)}"):
        raise BadRequest("Deployment id does not exist")


async def _check_target(request: Request, mapping: Json) -> None:
    """Raises BadRequest where a base path would lead to no API, or no stage."""
    path = f"/restapis/{quote(str(mapping.get('restApiId')), safe='')}"
    if stage := mapping.get("stage"):
        path += f"/stages/{quote(stage, safe='')}"
    if not await exists(request, path):
        raise BadRequest("Invalid REST API identifier or stage specified")


async def delete_deployment(request: Request, at: Parameters) -> None:
    """Delete a deployment that no stage serves. Raises BadRequest, Passed."""
    found = await ask(request, "GET", f"/restapis/{quote(at['restapi_id'])}/stages")
    if any(stage.get("deploymentId") == at["deployment_id"] for stage in found["item"]):
        raise BadRequest("Active stages pointing to this deployment must be moved or deleted")
    await ask(request, "DELETE", request.raw_path)


async def delete(request: Request) -> None:
    """Delete something that ministack deletes with another status. Raises Passed."""
    await ask(request, "DELETE", request.raw_path)


async def stages(request: Request) -> Json:
    """The stages of an API, or those of one deployment."""
    found = await ask(request, "GET", request.raw_path)
    deployment = request.query_value("deploymentId")
    items = [item for item in found["item"] if deployment in (None, item.get("deploymentId"))]
    return {"item": items}


async def delete_resource(request: Request, at: Parameters) -> None:
    """Delete a resource and those below it, of which ministack would leave orphans."""
    resources = f"/restapis/{quote(at['restapi_id'])}/resources"
    doomed = await ask(request, "GET", f"{resources}/{quote(at['resource_id'])}")
    if doomed["path"] == "/":
        raise BadRequest("Root resource cannot be deleted")
    position = ""
    below: list[Json] = []
    while True:
        page = await ask(request, "GET", resources, query=f"limit=500&position={position}")
        below += [item for item in page["item"] if item["path"].startswith(doomed["path"] + "/")]
        position = page.get("position", "")
        if not position:
            break
    for item in [*below, doomed]:
        await ask(request, "DELETE", f"{resources}/{item['id']}")
