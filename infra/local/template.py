"""template.yaml as MiniStack takes it: transformed by the SAM translator, then mended.

Mended is what MiniStack does not do as AWS does: it ignores an API's OpenAPI body, so that each
route, integration and authorizer becomes its own resource; it wants CORS in camelCase; it refuses
SAM inside nested stacks, so that each is transformed before it is uploaded; it takes a Ref to a
secret for its name, not its ARN; it knows neither identity nor sender when it asks whether a mail
may be sent; it unpacks a layer for every worker, so that the layer is a path to where it was built.
The API gets a known id.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from infra.local.aws import API_ID
from infra.local.build import Artifact

Template = dict[str, Any]
Upload = Callable[[str, bytes], None]

_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_NESTED = {"AWS::Serverless::Application": "Location", "AWS::CloudFormation::Stack": "TemplateURL"}
_SECRET = "AWS::SecretsManager::Secret"
_METHODS = {
    "get",
    "put",
    "post",
    "delete",
    "patch",
    "head",
    "options",
    "x-amazon-apigateway-any-method",
}


@cache
def read(path: Path) -> Template:
    """Parse the file, once. Callers share the result and must not modify it."""
    template: Template = yaml_parse(path.read_text())
    return template


def nested(path: Path) -> Iterator[Path]:
    """The template files that this one nests, and those that they nest."""
    for resource in read(path)["Resources"].values():
        if location := resource.get("Properties", {}).get(_NESTED.get(resource["Type"], "")):
            child = path.parent / location
            yield child
            yield from nested(child)


def artifacts(path: Path) -> list[Artifact]:
    """What the template and those nested in it build by makefile."""
    return [
        Artifact(logical_id, path.parent / _source(template, resource))
        for path in (path, *nested(path))
        for template in (read(path),)
        for logical_id, resource in template["Resources"].items()
        if resource.get("Metadata", {}).get("BuildMethod") == "makefile"
    ]


def _source(template: Template, resource: Template) -> str:
    everywhere = template.get("Globals", {}).get("Function", {})
    return str((everywhere | resource["Properties"])[_CODE[resource["Type"]]])


class Packager:
    """Uploads code and nested templates, and refers to them by where they are then."""

    def __init__(self, built: Mapping[str, Path], bucket: str, url: str, upload: Upload) -> None:
        self.built = built
        self.bucket = bucket
        self.url = url
        self.upload = upload

    def package(self, path: Path, parameters: Mapping[str, str]) -> Template:
        """The transformed and mended template; its parts are uploaded."""
        # Half a second to import, and not needed when nothing has changed.
        from samtranslator.translator.transform import transform

        template = deepcopy(read(path))
        for logical_id, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            if resource["Type"] in _NESTED:
                location = _NESTED[resource["Type"]]
                properties[location] = self._nested(path.parent / properties[location])
            elif folder := self.built.get(logical_id):
                is_layer = resource["Type"] == "AWS::Serverless::LayerVersion"
                zipped = _layer(folder) if is_layer else _zipped(folder)
                properties[_CODE[resource["Type"]]] = self._code(folder.name, zipped)
        return mend(transform(template, dict(parameters), SimpleNamespace(load=dict)))

    def _nested(self, path: Path) -> str:
        body = json.dumps(self.package(path, {})).encode()
        key = f"{path.stem}-{hashlib.sha256(body).hexdigest()[:16]}.json"
        self.upload(key, body)
        return f"{self.url}/{self.bucket}/{key}"

    def _code(self, key: str, zipped: bytes) -> str:
        self.upload(key, zipped)
        return f"s3://{self.bucket}/{key}"


def _zipped(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return content.getvalue()


def _layer(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("python/lib/python/site-packages/layer.pth", f"{folder / 'python'}\n")
    return content.getvalue()


def mend(template: Template) -> Template:
    resources = template["Resources"]
    for logical_id, resource in list(resources.items()):
        if resource["Type"] == "AWS::ApiGatewayV2::Api" and "Body" in resource["Properties"]:
            resources.update(_flattened(logical_id, resource))
        for policy in resource.get("Properties", {}).get("Policies", []):
            if resource["Type"] == "AWS::IAM::Role":
                _allow_mail(policy["PolicyDocument"])
    secrets = {name for name, each in resources.items() if each["Type"] == _SECRET}
    mended: Template = _with_arns_of(secrets, template)
    return mended


def _allow_mail(document: Template) -> None:
    for statement in document["Statement"]:
        if statement["Action"] == ["ses:SendEmail"]:
            statement["Resource"] = "*"
            statement.pop("Condition", None)


def _with_arns_of(secrets: set[str], node: Any) -> Any:
    if isinstance(node, dict):
        if node.get("Ref") in secrets:
            return {"Fn::GetAtt": [node["Ref"], "Id"]}
        return {name: _with_arns_of(secrets, value) for name, value in node.items()}
    return [_with_arns_of(secrets, each) for each in node] if isinstance(node, list) else node


def _flattened(api: str, resource: Template) -> Template:
    """The API's OpenAPI body as resources of their own."""
    body = resource["Properties"].pop("Body")
    properties = resource["Properties"]
    properties |= {
        "Name": body["info"]["title"],
        "ProtocolType": "HTTP",
        "Tags": {"ms-custom-id": API_ID},
    }
    if cors := body.get("x-amazon-apigateway-cors"):
        properties["CorsConfiguration"] = cors
    schemes = body.get("components", {}).get("securitySchemes", {})
    flat: Template = {}
    for name, scheme in schemes.items():
        flat[f"{api}{name}Authorizer"] = _authorizer(api, name, scheme)
    for path, methods in body["paths"].items():
        for method in _METHODS.intersection(methods):
            name = api + re.sub(r"\W", "", f"{method}{path}".title())
            operation = methods[method]
            flat[f"{name}Integration"] = _integration(api, operation)
            flat[f"{name}Route"] = _route(
                api, f"{name}Integration", path, method, operation, schemes
            )
    return flat


def _authorizer(api: str, name: str, scheme: Template) -> Template:
    given = scheme["x-amazon-apigateway-authorizer"]
    jwt = given["jwtConfiguration"]
    return _resource(
        "Authorizer",
        ApiId={"Ref": api},
        Name=name,
        AuthorizerType="JWT",
        IdentitySource=[given["identitySource"]],
        JwtConfiguration={"Issuer": jwt["issuer"], "Audience": jwt["audience"]},
    )


def _integration(api: str, operation: Template) -> Template:
    given = operation["x-amazon-apigateway-integration"]
    return _resource(
        "Integration",
        ApiId={"Ref": api},
        IntegrationType="AWS_PROXY",
        IntegrationUri=given["uri"],
        PayloadFormatVersion=given["payloadFormatVersion"],
    )


def _route(
    api: str, integration: str, path: str, method: str, operation: Template, schemes: Template
) -> Template:
    verb = "ANY" if method.startswith("x-") else method.upper()
    authorization: Template = {"AuthorizationType": "NONE"}
    for name, scopes in (item for need in operation.get("security", []) for item in need.items()):
        if name in schemes:
            authorization = {
                "AuthorizationType": "JWT",
                "AuthorizerId": {"Ref": f"{api}{name}Authorizer"},
                "AuthorizationScopes": scopes,
            }
    return _resource(
        "Route",
        ApiId={"Ref": api},
        RouteKey=path if path == "$default" else f"{verb} {path}",
        Target={"Fn::Sub": f"integrations/${{{integration}}}"},
        **authorization,
    )


def _resource(kind: str, **properties: Any) -> Template:
    return {"Type": f"AWS::ApiGatewayV2::{kind}", "Properties": properties}
