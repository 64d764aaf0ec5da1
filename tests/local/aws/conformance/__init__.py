"""What a real call of every operation of API Gateway must show, told in scenarios.

A scenario makes something, reads it back, changes it, lists it and deletes it, through a client
that holds every answer against botocore's model of the operation: status, members and types.
"""

from collections.abc import Callable

from tests.local.aws.conformance import apis, parts, serving
from tests.local.aws.conformance.checks import Watched

Scenario = Callable[[Watched], None]

SCENARIOS: dict[Scenario, str] = {
    apis.account: "GetAccount UpdateAccount",
    apis.rest_api: "CreateRestApi GetRestApi GetRestApis UpdateRestApi DeleteRestApi",
    apis.resources: "CreateResource GetResource GetResources DeleteResource",
    apis.methods: "PutMethod GetMethod UpdateMethod DeleteMethod"
    " PutMethodResponse GetMethodResponse UpdateMethodResponse DeleteMethodResponse"
    " PutIntegration GetIntegration UpdateIntegration DeleteIntegration"
    " PutIntegrationResponse GetIntegrationResponse UpdateIntegrationResponse"
    " DeleteIntegrationResponse",
    parts.models: "CreateModel GetModel GetModels UpdateModel DeleteModel",
    parts.validators: "CreateRequestValidator GetRequestValidator GetRequestValidators"
    " UpdateRequestValidator DeleteRequestValidator",
    parts.authorizers: "CreateAuthorizer GetAuthorizer GetAuthorizers UpdateAuthorizer"
    " DeleteAuthorizer",
    parts.gateway_responses: "PutGatewayResponse GetGatewayResponse GetGatewayResponses"
    " UpdateGatewayResponse DeleteGatewayResponse",
    parts.documentation: "CreateDocumentationPart GetDocumentationPart GetDocumentationParts"
    " UpdateDocumentationPart DeleteDocumentationPart",
    serving.stages: "CreateDeployment GetDeployment GetDeployments UpdateDeployment"
    " DeleteDeployment"
    " CreateStage GetStage GetStages UpdateStage DeleteStage",
    serving.domains: "CreateDomainName GetDomainName GetDomainNames DeleteDomainName"
    " CreateBasePathMapping GetBasePathMapping GetBasePathMappings DeleteBasePathMapping",
    serving.keys_and_plans: "CreateApiKey GetApiKey GetApiKeys UpdateApiKey DeleteApiKey"
    " CreateUsagePlan GetUsagePlan GetUsagePlans UpdateUsagePlan DeleteUsagePlan"
    " CreateUsagePlanKey GetUsagePlanKey GetUsagePlanKeys DeleteUsagePlanKey"
    " GetUsage UpdateUsage",
    serving.tags: "GetTags TagResource UntagResource",
}
SCENARIO_OF = {name: scenario for scenario, names in SCENARIOS.items() for name in names.split()}
