"""Public endpoints: the control plane of a cluster, or a function, that answers the whole internet."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.checks.terraform.addresses import is_everyone
from lawspeaker.checks.terraform.module import Body, Module, Resource
from lawspeaker.checks.terraform.switches import NEVER, ON, Setting, judgement
from lawspeaker.checks.terraform.values import Unknown, leaves
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, nested, undecided, violated

_OPEN: Final = "every address on the internet can reach its control plane"
_CALLABLE: Final = "everybody on the internet may call it"
_GOOGLE: Final = tuple(
    f"google_{kind}_iam_{form}"
    for kind in ("cloud_run_service", "cloud_run_v2_service", "cloudfunctions_function", "cloudfunctions2_function")
    for form in ("member", "binding")
)
_SETTINGS: Final = (
    Setting("aws_lambda_function_url", "authorization_type", ("NONE",), _CALLABLE),
    Setting("azurerm_data_factory", "public_network_enabled", ON, "its public endpoint is on", absent=True),
    Setting("aws_sagemaker_notebook_instance", "direct_internet_access", ("Enabled",), "it is open to the internet"),
    Setting("azurerm_container_registry", "anonymous_pull_enabled", ON, "everybody may pull its images"),
)


def eks(module: Module) -> Iterator[Verdict]:
    """EKS: the endpoint is public, and for every address, unless it is told otherwise."""
    for resource in module.of("aws_eks_cluster"):
        bodies = resource.children("vpc_config")
        yield from each(resource, (verdict for body in bodies for verdict in _eks(resource, body)))


def gke(module: Module) -> Iterator[Verdict]:
    """GKE: authorised networks that are the whole internet, or none at all before a public control plane."""
    for resource in module.of("google_container_cluster"):
        yield from each(resource, _gke(resource))


def aks(module: Module) -> Iterator[Verdict]:
    """AKS: neither private nor for some addresses only."""
    for resource in module.of("azurerm_kubernetes_cluster"):
        private = resource.flag("private_cluster_enabled")
        profiles = resource.children("api_server_access_profile")
        ranges = [
            resource.get("api_server_authorized_ip_ranges"),
            *(body.get("authorized_ip_ranges") for body in profiles),
        ]
        given = [leaf for value in ranges for leaf in leaves(value) if leaf is not None]
        open_wide = private in (None, False) and (not given or any(is_everyone(leaf) is True for leaf in given))
        yield from each(resource, iter([violated(resource, _OPEN)] if open_wide and resource.absent is None else []))


def api_methods(module: Module) -> Iterator[Verdict]:
    """API Gateway: a method without authorisation or key. `OPTIONS` carries no data."""
    for resource in module.of("aws_api_gateway_method"):
        open_wide = (
            resource.get("authorization") == "NONE"
            and resource.flag("api_key_required") in (None, False)
            and not str(resource.get("http_method")).startswith("OPTION")
        )
        wrong = [violated(resource, _CALLABLE, resource.at("authorization"))]
        yield from each(resource, iter(wrong if open_wide else []))


def google_functions(module: Module) -> Iterator[Verdict]:
    """Cloud Run and Cloud Functions: `allUsers` may invoke."""
    for resource in module.of(*_GOOGLE):
        given = [(name, leaf) for name in ("member", "members") for leaf in leaves(resource.get(name))]
        wrong = (
            violated(resource, _CALLABLE, resource.at(name))
            for name, leaf in given
            if leaf in ("allUsers", "allAuthenticatedUsers")
        )
        yield from each(resource, wrong)


RULE: Final = Rule(
    "public-endpoint",
    (judgement(_SETTINGS), eks, gke, aks, api_methods, google_functions),
    r"aws_(?:eks_cluster|lambda_function_url|api_gateway_method|sagemaker_notebook)|google_(?:container_cluster|cloud)|"
    r"azurerm_(?:kubernetes_cluster|data_factory|container_registry)",
    NEVER,
    doc=(
        "The control plane of a Kubernetes cluster must be private or limited to named ranges, and a function or "
        "API method must ask who calls."
    ),
    violating="""resource "aws_eks_cluster" "main" {
  name = "main"
  vpc_config {
    subnet_ids             = var.subnets
    endpoint_public_access = true
  }
}
""",
    complying="""resource "aws_eks_cluster" "main" {
  name = "main"
  vpc_config {
    subnet_ids              = var.subnets
    endpoint_public_access  = false
    endpoint_private_access = true
  }
}
""",
)


def _eks(resource: Resource, body: Body) -> Iterator[Verdict]:
    public, ranges = body.flag("endpoint_public_access"), body.get("public_access_cidrs")
    if public is False:
        return
    given = [is_everyone(leaf) for leaf in leaves(ranges) if leaf is not None]
    unknown = next((one for one in (public, *given) if isinstance(one, Unknown)), None)
    if unknown is not None:
        yield undecided(resource, "who can reach its control plane", unknown, body.place)
    elif not given or True in given:
        yield violated(resource, _OPEN, body.at("endpoint_public_access"))


def _gke(resource: Resource) -> Iterator[Verdict]:
    networks = nested(resource, ("master_authorized_networks_config", "cidr_blocks"))
    for network in networks:
        open_wide = is_everyone(network.get("cidr_block"))
        if isinstance(open_wide, Unknown):
            yield undecided(resource, "who can reach its control plane", open_wide, network.place)
        elif open_wide:
            yield violated(resource, _OPEN, network.at("cidr_block"))
    private = [body.flag("enable_private_endpoint") for body in resource.children("private_cluster_config")]
    if resource.absent is None and not resource.children("master_authorized_networks_config") and True not in private:
        yield violated(resource, _OPEN)
