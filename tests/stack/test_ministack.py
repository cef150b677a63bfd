"""What the local stack relies on in MiniStack, to be run again on every bump of its version."""

import base64
import io
import json
import secrets
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.local import aws, deploy
from infra.local.ports import free_port
from infra.local.processes import Process, stop_all, wait_until
from tests.waiting import PATIENCE_SECONDS, waiting_for

ROOT = Path(__file__).parents[2]

FUNCTION = '''
import base64, json, os, time
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(os.environ["FOLDER"])

def note(event, context):
    """Notes each record's body, and fails those whose body says so."""
    failed = []
    for record in event["Records"]:
        with (FOLDER / "noted").open("a") as file:
            file.write(record["body"] + "\\n")
        if record["body"].startswith("fail"):
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}

def answer(event, context):
    body = event.get("body") or ""
    if body == "die":
        os._exit(1)
    if body == "meet":
        (FOLDER / context.aws_request_id).touch()
        deadline = time.monotonic() + 60
        while len(list(FOLDER.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        return {"statusCode": 200, "body": str(len(list(FOLDER.iterdir())))}
    told = {"event": event, "moto": bool(find_spec("moto")), "credentials": {
        name.lower(): os.environ[name]
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    }}
    content = base64.b64encode(json.dumps(told).encode()).decode()
    return {"statusCode": 200, "isBase64Encoded": True, "body": content}
'''


@dataclass(frozen=True)
class MiniStack:
    url: str
    folder: Path

    def client(self, service: str) -> Any:
        return deploy.client(service, self.url)


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    folder = tmp_path_factory.mktemp("ministack")
    port = free_port()
    command = [sys.executable, "-m", "infra.local.aws", "--port", str(port)]
    command += ["--api-port", str(free_port()), "--state", str(folder)]
    command += ["--runtime", str(aws.create_runtime(folder / "runtime"))]
    command += ["--functions-log", str(folder / "functions.log")]
    log = folder / "log"
    process = Process(
        "MiniStack", command, ROOT, log, {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)}
    )
    url = f"http://127.0.0.1:{port}"
    with waiting_for("MiniStack"):
        process.wait_until_ready(f"{url}/_ministack/health")
    yield MiniStack(url, folder)
    stop_all([process])


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.test"},
        {"origin": "https://evil.test"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_a_page_in_a_browser_does_not_reach_aws(
    ministack: MiniStack, headers: dict[str, str]
) -> None:
    ministack.client("s3").create_bucket(Bucket="kept")
    for method in ("GET", "POST"):
        answer = httpx.request(method, f"{ministack.url}/_ministack/reset", headers=headers)
        assert answer.status_code == 403
    names = [each["Name"] for each in ministack.client("s3").list_buckets()["Buckets"]]
    assert "kept" in names


def test_a_link_to_a_document_is_followed(ministack: MiniStack) -> None:
    headers = {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate"}
    answer = httpx.get(f"{ministack.url}/_ministack/health", headers=headers)
    assert answer.status_code == 200


def saved(ministack: MiniStack) -> str:
    file = ministack.folder / "services" / "dynamodb.json"
    return file.read_text() if file.exists() else ""


def test_what_is_done_is_saved_while_more_is_being_done(ministack: MiniStack, table: str) -> None:
    """A copy that is made beside the requests fails as long as they make the table grow."""
    client = ministack.client("dynamodb")
    for start in range(0, 3_000, 25):
        rows = [{"PutRequest": {"Item": {"pk": {"S": f"{start + each}"}}}} for each in range(25)]
        client.batch_write_item(RequestItems={table: rows})
    client.put_item(TableName=table, Item={"pk": {"S": "acknowledged"}})
    written = 0

    def write_and_look() -> bool:
        nonlocal written
        for _ in range(100):
            written += 1
            client.put_item(TableName=table, Item={"pk": {"S": f"later {written}"}})
        return "acknowledged" in saved(ministack)

    wait_until(write_and_look, PATIENCE_SECONDS)


@pytest.fixture
def table(ministack: MiniStack) -> str:
    name = f"table-{secrets.token_hex(4)}"
    ministack.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return name


def put(table: str, key: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {"pk": {"S": key}}, **more}}


def new(table: str, key: str) -> dict[str, Any]:
    return put(table, key, ConditionExpression="attribute_not_exists(pk)")


class TestTransactions:
    def test_one_failed_condition_undoes_all_and_is_named(
        self, ministack: MiniStack, table: str
    ) -> None:
        dynamodb = ministack.client("dynamodb")
        dynamodb.transact_write_items(TransactItems=[new(table, "a")])
        with pytest.raises(ClientError) as refused:
            dynamodb.transact_write_items(TransactItems=[new(table, "b"), new(table, "a")])
        reasons = refused.value.response["CancellationReasons"]
        assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
        assert dynamodb.scan(TableName=table)["Count"] == 1

    def test_a_failed_condition_can_show_the_item(self, ministack: MiniStack, table: str) -> None:
        dynamodb = ministack.client("dynamodb")
        dynamodb.transact_write_items(TransactItems=[new(table, "a")])
        again = new(table, "a")
        again["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        with pytest.raises(ClientError) as refused:
            dynamodb.transact_write_items(TransactItems=[again])
        [reason] = refused.value.response["CancellationReasons"]
        assert reason["Item"] == {"pk": {"S": "a"}}

    def test_a_request_token_applies_once(self, ministack: MiniStack, table: str) -> None:
        dynamodb = ministack.client("dynamodb")
        for _ in range(2):
            dynamodb.transact_write_items(
                TransactItems=[new(table, "a")], ClientRequestToken="once"
            )
        assert dynamodb.scan(TableName=table)["Count"] == 1

    def test_a_request_token_for_something_else_is_refused(
        self, ministack: MiniStack, table: str
    ) -> None:
        dynamodb = ministack.client("dynamodb")
        dynamodb.transact_write_items(TransactItems=[new(table, "a")], ClientRequestToken="two")
        with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
            dynamodb.transact_write_items(TransactItems=[new(table, "b")], ClientRequestToken="two")

    def test_concurrent_additions_all_count(self, ministack: MiniStack, table: str) -> None:
        def add(_: int) -> None:
            update = {
                "TableName": table,
                "Key": {"pk": {"S": "sum"}},
                "UpdateExpression": "ADD amount :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
            ministack.client("dynamodb").transact_write_items(TransactItems=[{"Update": update}])

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(add, range(24)))
        key = {"pk": {"S": "sum"}}
        found = ministack.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
        assert found["Item"]["amount"] == {"N": "24"}


@pytest.fixture
def role(ministack: MiniStack) -> str:
    """A role of a function that may do nothing; its name is the end of its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    document = {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
    made = ministack.client("iam").create_role(
        RoleName=f"role-{secrets.token_hex(4)}", AssumeRolePolicyDocument=json.dumps(document)
    )
    return str(made["Role"]["Arn"])


def allow(ministack: MiniStack, role: str, **statement: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    ministack.client("iam").put_role_policy(
        RoleName=role.rsplit("/", 1)[1],
        PolicyName=f"policy-{secrets.token_hex(4)}",
        PolicyDocument=json.dumps(policy),
    )


def create_function(ministack: MiniStack, role: str, handler: str, folder: Path) -> str:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("function.py", FUNCTION)
    made = ministack.client("lambda").create_function(
        FunctionName=f"{handler}-{secrets.token_hex(4)}",
        Runtime="python3.13",
        Role=role,
        Handler=f"function.{handler}",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"FOLDER": str(folder)}},
        Timeout=120,
    )
    return str(made["FunctionArn"])


class TestQueues:
    @pytest.fixture
    def dead(self, ministack: MiniStack) -> str:
        return self.create(ministack)

    @pytest.fixture
    def queue(self, ministack: MiniStack, dead: str) -> str:
        target = {"deadLetterTargetArn": self.arn(ministack, dead), "maxReceiveCount": 2}
        return self.create(ministack, VisibilityTimeout="1", RedrivePolicy=json.dumps(target))

    @pytest.fixture
    def noted(self, ministack: MiniStack, queue: str, role: str, tmp_path: Path) -> Path:
        """Where a function notes what it receives from the queue."""
        may = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        allow(ministack, role, Action=may, Resource=self.arn(ministack, queue))
        (tmp_path / "noted").touch()
        ministack.client("lambda").create_event_source_mapping(
            EventSourceArn=self.arn(ministack, queue),
            FunctionName=create_function(ministack, role, "note", tmp_path),
            FunctionResponseTypes=["ReportBatchItemFailures"],
            BatchSize=10,
        )
        return tmp_path / "noted"

    def create(self, ministack: MiniStack, **attributes: str) -> str:
        made = ministack.client("sqs").create_queue(
            QueueName=f"queue-{secrets.token_hex(4)}.fifo",
            Attributes={"FifoQueue": "true", **attributes},
        )
        return str(made["QueueUrl"])

    def arn(self, ministack: MiniStack, queue: str) -> str:
        found = ministack.client("sqs").get_queue_attributes(
            QueueUrl=queue, AttributeNames=["QueueArn"]
        )
        return str(found["Attributes"]["QueueArn"])

    def send(self, ministack: MiniStack, queue: str, body: str, **more: str) -> None:
        given = {"MessageGroupId": "group", "MessageDeduplicationId": body, **more}
        ministack.client("sqs").send_message(QueueUrl=queue, MessageBody=body, **given)

    def test_a_group_arrives_in_order(self, ministack: MiniStack, queue: str, noted: Path) -> None:
        bodies = [f"message {number}" for number in range(15)]
        for body in bodies:
            self.send(ministack, queue, body)
        wait_until(lambda: noted.read_text().splitlines() == bodies, PATIENCE_SECONDS)

    def test_a_duplicate_is_dropped(self, ministack: MiniStack, queue: str, noted: Path) -> None:
        for body in ("first", "first", "last"):
            self.send(ministack, queue, body)
        wait_until(lambda: "last" in noted.read_text(), PATIENCE_SECONDS)
        assert noted.read_text().splitlines() == ["first", "last"]

    def test_only_what_failed_comes_again_and_then_goes_to_the_dead_letters(
        self, ministack: MiniStack, queue: str, dead: str, noted: Path
    ) -> None:
        self.send(ministack, queue, "fine", MessageGroupId="one")
        self.send(ministack, queue, "fails", MessageGroupId="two")
        found = ministack.client("sqs").receive_message(QueueUrl=dead, WaitTimeSeconds=10)
        assert [message["Body"] for message in found["Messages"]] == ["fails"]
        assert sorted(noted.read_text().splitlines()) == ["fails", "fails", "fine"]


@pytest.fixture
def address(ministack: MiniStack, role: str, tmp_path: Path) -> str:
    """Of an API that calls the function `answer`, without an authorizer."""
    gateway = ministack.client("apigatewayv2")
    api = gateway.create_api(Name="api", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=create_function(ministack, role, "answer", tmp_path),
        PayloadFormatVersion="2.0",
    )
    target = f"integrations/{integration['IntegrationId']}"
    gateway.create_route(ApiId=api, RouteKey="$default", Target=target)
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return f"{ministack.url}/_aws/execute-api/{api}/$default/"


def post(address: str, content: bytes, kind: str) -> httpx.Response:
    return httpx.post(address, content=content, headers={"content-type": kind})


class TestHttpApi:
    def test_json_arrives_as_it_was_sent(self, address: str) -> None:
        event = post(address, b'{"a":  1}', "application/json").json()["event"]
        assert (event["body"], event["isBase64Encoded"]) == ('{"a":  1}', False)

    def test_other_content_arrives_in_base64(self, address: str) -> None:
        event = post(address, b"\xff\x00", "application/octet-stream").json()["event"]
        assert event["isBase64Encoded"] is True
        assert base64.b64decode(event["body"]) == b"\xff\x00"

    def test_a_function_that_dies_is_an_error_and_the_next_call_is_served(
        self, address: str
    ) -> None:
        assert post(address, b"die", "text/plain").status_code >= 500
        assert post(address, b"again", "text/plain").status_code == 200

    def test_calls_of_one_function_run_at_the_same_time(self, address: str) -> None:
        def meet(_: int) -> str:
            return post(address, b"meet", "text/plain").text

        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(meet, range(2))) == ["2", "2"]


def test_a_function_does_not_see_the_packages_of_this_environment(address: str) -> None:
    assert find_spec("moto")
    assert post(address, b"{}", "application/json").json()["moto"] is False


class TestRoles:
    @pytest.fixture
    def dynamodb(self, ministack: MiniStack, address: str) -> Any:
        """A client with the credentials that the function has."""
        credentials = post(address, b"{}", "application/json").json()["credentials"]
        return boto3.client(
            "dynamodb", endpoint_url=ministack.url, region_name=aws.REGION, **credentials
        )

    def arn(self, ministack: MiniStack, table: str) -> str:
        found = ministack.client("dynamodb").describe_table(TableName=table)
        return str(found["Table"]["TableArn"])

    def test_what_a_role_allows_is_done(
        self, ministack: MiniStack, table: str, role: str, dynamodb: Any
    ) -> None:
        allow(ministack, role, Action="dynamodb:GetItem", Resource=self.arn(ministack, table))
        assert "Item" not in dynamodb.get_item(TableName=table, Key={"pk": {"S": "a"}})

    def test_what_a_role_does_not_allow_is_refused(self, table: str, dynamodb: Any) -> None:
        with pytest.raises(ClientError, match="AccessDenied"):
            dynamodb.get_item(TableName=table, Key={"pk": {"S": "a"}})

    def test_a_write_can_be_allowed_within_transactions_only(
        self, ministack: MiniStack, table: str, role: str, dynamodb: Any
    ) -> None:
        within = {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}
        allow(
            ministack,
            role,
            Action="dynamodb:PutItem",
            Resource=self.arn(ministack, table),
            Condition={"ForAnyValue:StringEquals": within},
        )
        dynamodb.transact_write_items(TransactItems=[put(table, "a")])
        with pytest.raises(ClientError, match="AccessDenied"):
            dynamodb.put_item(TableName=table, Item={"pk": {"S": "b"}})


class TestCallers:
    def test_without_credentials_nothing_is_done(self, ministack: MiniStack) -> None:
        nobody = boto3.client(
            "dynamodb",
            endpoint_url=ministack.url,
            region_name=aws.REGION,
            config=Config(signature_version=UNSIGNED),
        )
        with pytest.raises(ClientError, match="MissingAuthenticationToken"):
            nobody.list_tables()

    @pytest.mark.parametrize("path", ["/_ministack/reset", "/"])
    def test_a_page_in_a_browser_is_refused(self, ministack: MiniStack, path: str) -> None:
        answer = httpx.post(f"{ministack.url}{path}", headers={"origin": "https://evil.test"})
        assert answer.status_code == 403


class TestBuckets:
    @pytest.fixture
    def bucket(self, ministack: MiniStack) -> str:
        name = f"bucket-{secrets.token_hex(4)}"
        s3 = ministack.client("s3")
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="file", Body=b"content")
        return name

    def link(self, ministack: MiniStack, bucket: str) -> str:
        signer = boto3.client(
            "s3",
            endpoint_url=ministack.url,
            region_name=aws.REGION,
            aws_access_key_id=aws.ACCESS_KEY,
            aws_secret_access_key=aws.SECRET_KEY,
            config=Config(signature_version="s3v4"),
        )
        wanted = {
            "Bucket": bucket,
            "Key": "file",
            "ResponseContentDisposition": 'attachment; filename="file.pdf"',
        }
        return str(signer.generate_presigned_url("get_object", wanted, ExpiresIn=60))

    def test_a_signed_link_downloads_as_an_attachment(
        self, ministack: MiniStack, bucket: str
    ) -> None:
        answer = httpx.get(self.link(ministack, bucket))
        assert answer.content == b"content"
        assert answer.headers["content-disposition"] == 'attachment; filename="file.pdf"'

    def test_a_link_that_was_changed_is_refused(self, ministack: MiniStack, bucket: str) -> None:
        changed = self.link(ministack, bucket).replace("Expires=60", "Expires=6000")
        assert httpx.get(changed).status_code == 403

    def test_without_a_link_nothing_is_read(self, ministack: MiniStack, bucket: str) -> None:
        assert httpx.get(f"{ministack.url}/{bucket}/file").status_code == 403


class TestNestedStacks:
    def child(self, ministack: MiniStack, delay: int) -> str:
        """Where the template of a bucket and a queue lies."""
        template = {
            "Resources": {
                "Bucket": {"Type": "AWS::S3::Bucket"},
                "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": delay}},
            },
            "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Bucket", "Arn"]}}},
        }
        s3 = ministack.client("s3")
        s3.create_bucket(Bucket="templates")
        s3.put_object(Bucket="templates", Key=f"{delay}.json", Body=json.dumps(template))
        return f"{ministack.url}/templates/{delay}.json"

    def parent(self, ministack: MiniStack, delay: int) -> str:
        nested = {"TemplateURL": self.child(ministack, delay)}
        return json.dumps(
            {
                "Resources": {
                    "Child": {"Type": "AWS::CloudFormation::Stack", "Properties": nested}
                },
                "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Arn"]}}},
            }
        )

    def bucket_arn(self, cloudformation: Any, done: str) -> str:
        """After the change is complete."""
        waiting = {"Delay": 0.1, "MaxAttempts": 1200}
        cloudformation.get_waiter(done).wait(StackName="parent", WaiterConfig=waiting)
        [stack] = cloudformation.describe_stacks(StackName="parent")["Stacks"]
        return str(stack["Outputs"][0]["OutputValue"])

    def test_an_update_leaves_alone_what_did_not_change(self, ministack: MiniStack) -> None:
        cloudformation = ministack.client("cloudformation")
        cloudformation.create_stack(StackName="parent", TemplateBody=self.parent(ministack, 1))
        before = self.bucket_arn(cloudformation, "stack_create_complete")
        cloudformation.update_stack(StackName="parent", TemplateBody=self.parent(ministack, 2))
        assert self.bucket_arn(cloudformation, "stack_update_complete") == before
