"""Deploys the template into MiniStack by CloudFormation, unless just that is deployed already."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.local import aws, template
from infra.local.build import build
from infra.local.errors import Unable
from infra.local.progress import say

STACK = "billing"
BUCKET = "artifacts"
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_DIGEST = "Digest"
_TEMPLATE = "template.json"
_POLL = {"Delay": 0.1, "MaxAttempts": 3000}


class DeploymentFailed(Unable):
    """CloudFormation refused; the message holds its reasons."""


class Deployment:
    """The template at `root`, in the MiniStack at `url`."""

    def __init__(self, root: Path, url: str, builds: Path) -> None:
        self.template = root / "template.yaml"
        self.url = url
        self.builds = builds
        self.cloudformation = client("cloudformation", url)
        self.s3 = client("s3", url)

    def build(self) -> Mapping[str, Path]:
        """Raises BuildFailed."""
        return build(template.artifacts(self.template), self.builds)

    def deploy(self, built: Mapping[str, Path], parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Bring code and configuration up to date, and return the stack's outputs.

        Raises DeploymentFailed.
        """
        digest = self._digest(built, parameters)
        stack = self._stack()
        if stack is None or _digest_of(stack) != digest:
            self._apply(stack, built, parameters, digest)
            stack = self._stack() or {}
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    def keep_secret(self, arn: str, content: Mapping[str, Any]) -> None:
        secrets = client("secretsmanager", self.url)
        kept = secrets.get_secret_value(SecretId=arn).get("SecretString")
        if kept != json.dumps(content):
            secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(content))

    def accept_mail_from(self, address: str) -> None:
        client("ses", self.url).verify_email_identity(EmailAddress=address)

    def _digest(self, built: Mapping[str, Path], parameters: Mapping[str, str]) -> str:
        """The same for the same sources, parameters and transformation."""
        digest = hashlib.sha256(version("aws-sam-translator").encode())
        for file in (self.template, *template.nested(self.template), Path(template.__file__)):
            digest.update(file.read_bytes())
        named = {logical_id: path.name for logical_id, path in built.items()}
        digest.update(json.dumps([named, dict(parameters)], sort_keys=True).encode())
        return digest.hexdigest()

    def _stack(self) -> dict[str, Any] | None:
        try:
            found = self.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        except ClientError:
            return None
        return found[0] if found and "DELETE" not in found[0]["StackStatus"] else None

    def _apply(
        self,
        stack: Mapping[str, Any] | None,
        built: Mapping[str, Path],
        parameters: Mapping[str, str],
        digest: str,
    ) -> None:
        say("Deploying the template")
        # A tag would do, but a changed tag makes MiniStack update every resource.
        change, done = (
            (self.cloudformation.update_stack, "stack_update_complete")
            if stack
            else (self.cloudformation.create_stack, "stack_create_complete")
        )
        self.s3.create_bucket(Bucket=BUCKET)
        packager = template.Packager(built, BUCKET, self.url, self._upload)
        body = packager.package(self.template, parameters)
        body["Parameters"][_DIGEST] = {"Type": "String"}
        # Given whole, a template may have 51,200 bytes only.
        self._upload(_TEMPLATE, json.dumps(body).encode())
        try:
            change(
                StackName=STACK,
                TemplateURL=f"{self.url}/{BUCKET}/{_TEMPLATE}",
                Parameters=[
                    {"ParameterKey": name, "ParameterValue": value}
                    for name, value in {**parameters, _DIGEST: digest}.items()
                ],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
            self.cloudformation.get_waiter(done).wait(StackName=STACK, WaiterConfig=_POLL)
        except (BotoCoreError, ClientError) as error:
            reasons = f"{error}\n{self._reasons()}"
            raise DeploymentFailed(f"{reasons}\nRESET=1 starts anew.") from error

    def _upload(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def _reasons(self) -> str:
        try:
            events = self.cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        except (BotoCoreError, ClientError):
            return "Nothing was begun."
        return "\n".join(
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in events
            if "FAILED" in event["ResourceStatus"] and event.get("ResourceStatusReason")
        )


def client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=aws.REGION,
        aws_access_key_id=aws.ACCESS_KEY,
        aws_secret_access_key=aws.SECRET_KEY,
    )


def _digest_of(stack: Mapping[str, Any]) -> str | None:
    given = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    return given.get(_DIGEST) if stack["StackStatus"] in _DONE else None
