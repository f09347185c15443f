"""The IAM policies of deploy/cloudformation/roles.yaml, from the files of docs/iam."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "iam"
ROLES = FOLDER.parent.parent / "deploy" / "cloudformation" / "roles.yaml"
BEGIN, END = "  # docs/iam:begin\n", "  # docs/iam:end\n"
# The files with the condition of their policy, and the roles that have it.
POLICIES: Mapping[str, tuple[str | None, list[str]]] = {
    "dynamodb-load": (None, ["JobRole"]),
    "dynamodb-kms": ("HasTableKey", ["JobRole"]),
    "storage-s3": (None, ["JobRole"]),
    "redshift-serverless": ("OnWorkgroup", ["JobRole", "BuildRole"]),
    "redshift-cluster": ("OnCluster", ["JobRole", "BuildRole"]),
    "sns-notify": (None, ["JobRole"]),
    "secrets-manager": ("HasSecret", ["JobRole", "BuildRole"]),
}
# What a reader of docs/iam replaces, and the parameter of the template that replaces it.
PLACEHOLDERS = {
    "arn:aws:kms:REGION:ACCOUNT:key/KEY_ID": "${TableKmsKeyArn}",
    "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-??????": "${SecretArn}",
    "arn:aws:sns:REGION:ACCOUNT:TOPIC": "${AlarmTopic}",
    "arn:aws:": "arn:${AWS::Partition}:",
    "REGION": "${AWS::Region}",
    "ACCOUNT": "${AWS::AccountId}",
    "table/user_items": "table/${TableName}",
    "BUCKET": "${BucketName}",
    "PREFIX": "${StoragePrefix}",
    "WORKGROUP_ID": "${WorkgroupId}",
    "CLUSTER/loader": "${ClusterId}/${DatabaseUser}",
    "CLUSTER": "${ClusterId}",
    "DATABASE": "${Database}",
}


def roles() -> str:
    """The template with the policies between its marks."""
    text = ROLES.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}{policies()}{END}{after}"


def policies() -> str:
    resources = [_resource(name, *rest) for name, rest in POLICIES.items()]
    return "\n".join(["", *resources, ""])


def policy(name: str) -> dict[str, Any]:
    """A policy of docs/iam, with `Fn::Sub` where a placeholder was."""
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    filled: dict[str, Any] = _filled(document)
    return filled


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_filled(entry) for entry in value]
    text = str(value)
    for placeholder, parameter in PLACEHOLDERS.items():
        text = text.replace(placeholder, parameter)
    return value if text == value else {"Fn::Sub": text}


def _resource(name: str, condition: str | None, roles: list[str]) -> str:
    """A resource of the template in YAML, indented by two spaces."""
    title = "".join(word.capitalize() for word in name.split("-"))
    resource = {
        "Type": "AWS::IAM::Policy",
        **({"Condition": condition} if condition else {}),
        "Properties": {
            "PolicyName": name,
            "Roles": [{"Ref": role} for role in roles],
            "PolicyDocument": policy(name),
        },
    }
    text = yaml.safe_dump({f"{title}Policy": resource}, sort_keys=False, width=120)
    return "".join(f"  {line}\n" for line in text.splitlines())
