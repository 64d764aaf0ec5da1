"""Every operation of API Gateway's control plane, and who answers it here.

Names, methods, paths and statuses are botocore's to know. What is in none of the three sets is
answered as unsupported, and a test says that it is missing here. docs/local-aws.md tells the same.
"""

import re
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from botocore.model import ServiceModel
from botocore.session import get_session


def _named(names: str) -> frozenset[str]:
    return frozenset(names.split())


# By this layer: keys, plans and usage altogether; of the rest, what ministack keeps but answers
# wrongly (patches above all).
OURS = _named(
    """
    CreateApiKey GetApiKey GetApiKeys UpdateApiKey DeleteApiKey
    CreateUsagePlan GetUsagePlan GetUsagePlans UpdateUsagePlan DeleteUsagePlan
    CreateUsagePlanKey GetUsagePlanKey GetUsagePlanKeys DeleteUsagePlanKey
    GetUsage UpdateUsage
    GetTags TagResource UntagResource
    CreateRestApi UpdateRestApi
    DeleteResource
    PutMethod UpdateMethod PutMethodResponse UpdateMethodResponse
    PutIntegration UpdateIntegration UpdateIntegrationResponse
    CreateDeployment UpdateDeployment DeleteDeployment
    CreateStage GetStages UpdateStage
    CreateModel CreateDomainName CreateBasePathMapping
    UpdateAccount UpdateAuthorizer UpdateDocumentationPart UpdateGatewayResponse UpdateModel
    UpdateRequestValidator DeleteRequestValidator
    """
)
MINISTACK = _named(
    """
    GetAccount
    CreateAuthorizer GetAuthorizer GetAuthorizers DeleteAuthorizer
    GetBasePathMapping GetBasePathMappings DeleteBasePathMapping
    GetDeployment GetDeployments
    CreateDocumentationPart GetDocumentationPart GetDocumentationParts DeleteDocumentationPart
    GetDomainName GetDomainNames DeleteDomainName
    PutGatewayResponse GetGatewayResponse GetGatewayResponses DeleteGatewayResponse
    GetIntegration DeleteIntegration
    PutIntegrationResponse GetIntegrationResponse DeleteIntegrationResponse
    GetMethod DeleteMethod
    GetMethodResponse DeleteMethodResponse
    GetModel GetModels DeleteModel
    CreateRequestValidator GetRequestValidator GetRequestValidators
    CreateResource GetResource GetResources
    GetRestApi GetRestApis DeleteRestApi
    GetStage DeleteStage
    """
)
UNSUPPORTED = _named(
    """
    ImportApiKeys ImportDocumentationParts ImportRestApi PutRestApi
    GetExport GetSdk GetSdkType GetSdkTypes GetModelTemplate
    TestInvokeAuthorizer TestInvokeMethod
    FlushStageAuthorizersCache FlushStageCache
    UpdateBasePathMapping UpdateDomainName UpdateResource
    CreateDocumentationVersion GetDocumentationVersion GetDocumentationVersions
    UpdateDocumentationVersion DeleteDocumentationVersion
    GenerateClientCertificate GetClientCertificate GetClientCertificates
    UpdateClientCertificate DeleteClientCertificate
    CreateVpcLink GetVpcLink GetVpcLinks UpdateVpcLink DeleteVpcLink
    CreateDomainNameAccessAssociation GetDomainNameAccessAssociations
    RejectDomainNameAccessAssociation DeleteDomainNameAccessAssociation
    """
)

Parameters = dict[str, str]

_LABEL = re.compile(r"\{(\w+)\}")
_SCOPED_SERVICE = re.compile(r"Credential=[^,]*/([a-z0-9-]+)/aws4_request")
# What is taken for API Gateway's although nobody has signed it, as ministack does. Any other first
# segment of an unsigned path may be a bucket.
_UNSIGNED = frozenset(("apikeys", "usageplans"))


class Operation(NamedTuple):
    """How an operation is addressed, and the status of its answer. `query` is what tells it from
    another one of the same path."""

    name: str
    method: str
    path: re.Pattern[str]
    query: dict[str, list[str]]
    status: int


@cache
def model() -> ServiceModel:
    """What botocore knows of API Gateway."""
    return get_session().get_service_model("apigateway")


def output_shape(name: str) -> Any:
    return model().operation_model(name).output_shape


def operation_of(
    method: str, path: str, query_string: bytes, authorization: str | None
) -> tuple[Operation, Parameters] | None:
    """The operation that a request asks for, with its path parameters; None where it is a request
    to another service, or to nothing that API Gateway has."""
    scope = _SCOPED_SERVICE.search(authorization or "")
    head = path.split("/", 2)[1] if path.startswith("/") else ""
    if scope[1] != "apigateway" if scope else head not in _UNSIGNED:
        return None
    query = parse_qs(query_string.decode("latin-1"))
    for operation in _operations():
        asked = all(query.get(name) == values for name, values in operation.query.items())
        if operation.method == method and asked and (match := operation.path.fullmatch(path)):
            return operation, match.groupdict()
    return None


@cache
def _operations() -> tuple[Operation, ...]:
    """Those that are told by their query come first."""
    found = []
    for name in model().operation_names:
        http = model().operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        status = int(http.get("responseCode") or 200)
        found.append(Operation(name, http["method"], _pattern(path), parse_qs(query), status))
    return tuple(sorted(found, key=lambda operation: not operation.query))


def _pattern(path: str) -> re.Pattern[str]:
    """An ARN has slashes of its own; it is always the last part of its path."""
    parts = _LABEL.split(path)
    for at in range(1, len(parts), 2):
        parts[at] = f"(?P<{parts[at]}>{'.+' if parts[at].endswith('arn') else '[^/]+'})"
    return re.compile("".join(parts) + "/?")
