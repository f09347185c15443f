"""docs/iam allows what the loader calls, and no more; tests/integration compares the calls."""

import json
import re

import pytest

from tests.support.repository import REPOSITORY

POLICIES = {
    "assume-role.json": {"sts:AssumeRole"},
    "dynamodb-create-table.json": {"dynamodb:CreateTable"},
    "dynamodb-kms.json": {"kms:Decrypt", "kms:DescribeKey"},
    "dynamodb-load.json": {
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:BatchWriteItem",
    },
    "dynamodb-plan.json": {"dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"},
    "dynamodb-pre-warm.json": {"dynamodb:UpdateTable"},
    "dynamodb-show.json": {"dynamodb:DescribeTable", "dynamodb:GetItem"},
    "dynamodb-verify.json": {
        "dynamodb:BatchGetItem",
        "dynamodb:DescribeTable",
        "dynamodb:Scan",
    },
    "redshift-cluster.json": {"redshift:GetClusterCredentials"},
    "redshift-cluster-role.json": {"redshift:GetClusterCredentialsWithIAM"},
    "redshift-serverless.json": {"redshift-serverless:GetCredentials"},
    "sns-notify.json": {"sns:Publish"},
    "trust-external-id.json": {"sts:AssumeRole"},
    "secrets-manager.json": {"secretsmanager:GetSecretValue"},
    "storage-s3.json": {
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    },
}


@pytest.mark.parametrize(("name", "allowed"), POLICIES.items())
def test_a_policy_allows_these_actions_and_no_others(name: str, allowed: set[str]) -> None:
    document = json.loads((REPOSITORY / "docs" / "iam" / name).read_text())

    statements = [statement["Action"] for statement in document["Statement"]]
    actions = [[action] if isinstance(action, str) else action for action in statements]
    assert {action for listed in actions for action in listed} == allowed


def test_every_policy_is_on_the_page_of_the_permissions() -> None:
    files = {path.name for path in (REPOSITORY / "docs" / "iam").glob("*.json")}
    page = (REPOSITORY / "docs" / "security.md").read_text()

    assert set(POLICIES) == files == set(re.findall(r"\(iam/(\S+)\)", page))


def test_the_trust_policy_asks_for_the_external_id() -> None:
    document = json.loads((REPOSITORY / "docs" / "iam" / "trust-external-id.json").read_text())

    [statement] = document["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::ACCOUNT:role/LOADER"}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "EXTERNAL_ID"}}


def test_the_policies_allow_every_call_that_the_loader_makes() -> None:
    code = "\n".join(path.read_text() for path in (REPOSITORY / "loader").rglob("*.py"))
    calls = set(re.findall(r"(?:\bdynamodb|(?<!http\.)\bclient)\s*\.(\w+)\(", code))
    made = {call.replace("_", "") for call in calls - {"get_waiter"}}

    assert {"describetable", "createtable", "getitem", "getcredentials", "getsecretvalue"} <= made
    actions = {action for policy in POLICIES.values() for action in policy}
    allowed = {action.split(":")[1].lower() for action in actions}
    assert made - allowed == set()
