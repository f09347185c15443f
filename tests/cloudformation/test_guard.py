"""The templates keep the rules of rules.guard, and each rule finds a template that breaks it.

These need packages of their own: `.ci/cloudformation` runs them.
"""

import copy
import json
from typing import Any

import pytest

from tests.support.templates import NAMES, TEMPLATES, template

cfn_guard_rs = pytest.importorskip("cfn_guard_rs", reason="`.ci/cloudformation` installs it")
RULES = (TEMPLATES / "rules.guard").read_text()


def broken(document: dict[str, Any]) -> set[str]:
    """The rules that a template breaks."""
    report = cfn_guard_rs.run_checks(json.loads(json.dumps(document, default=str)), RULES)
    return {clause.Rule.name for clause in report.not_compliant}


@pytest.mark.parametrize("name", NAMES)
def test_a_template_keeps_the_rules(name: str) -> None:
    assert broken(template(name)) == set()


# The template, the path in its resources, the value there, and the rule that it breaks.
MUTATIONS = [
    ("table.yaml", "Table.DeletionPolicy", "Delete", "a_table_is_protected"),
    (
        "table.yaml",
        "Table.Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
        False,
        "a_table_is_protected",
    ),
    ("table.yaml", "Table.Properties.DeletionProtectionEnabled", False, "a_table_is_protected"),
    (
        "storage.yaml",
        "Bucket.Properties.PublicAccessBlockConfiguration.BlockPublicPolicy",
        False,
        "a_bucket_is_private_encrypted_and_versioned",
    ),
    (
        "storage.yaml",
        "Bucket.Properties.BucketEncryption",
        None,
        "a_bucket_is_private_encrypted_and_versioned",
    ),
    (
        "storage.yaml",
        "Bucket.Properties.VersioningConfiguration.Status",
        "Suspended",
        "a_bucket_is_private_encrypted_and_versioned",
    ),
    (
        "storage.yaml",
        "Bucket.Properties.LifecycleConfiguration.Rules.0.ExpirationInDays",
        30,
        "no_current_object_expires",
    ),
    ("storage.yaml", "BucketPolicy", None, "a_bucket_refuses_plain_text"),
    ("storage.yaml", "BucketPolicy.DeletionPolicy", None, "a_bucket_refuses_plain_text"),
    (
        "secret.yaml",
        "Secret.Properties.SecretString",
        "x",
        "a_secret_is_kept_and_not_in_the_template",
    ),
    (
        "roles.yaml",
        "JobPolicy.Properties.PolicyDocument.Statement.0.Action",
        "s3:*",
        "no_action_has_a_wildcard",
    ),
    (
        "roles.yaml",
        "GluePolicy.Properties.PolicyDocument.Statement.0.Action",
        ["glue:StartJobRun", "glue:Get*"],
        "no_action_has_a_wildcard",
    ),
    (
        "roles.yaml",
        "JobPolicy.Properties.PolicyDocument.Statement.0.Resource",
        "*",
        "only_actions_without_a_resource_are_allowed_everywhere",
    ),
    (
        "roles.yaml",
        "JobPolicy.Properties.PolicyDocument.Statement.0",
        {"Fn::If": ["OnGlue", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, {}]},
        "every_statement_is_seen",
    ),
    (
        "roles.yaml",
        "ScheduleRole.Properties.Policies",
        [{"PolicyName": "x", "PolicyDocument": {"Statement": []}}],
        "every_statement_is_seen",
    ),
    (
        "roles.yaml",
        "JobRole.Properties.ManagedPolicyArns",
        ["arn:aws:iam::aws:policy/AdministratorAccess"],
        "every_statement_is_seen",
    ),
    (
        "roles.yaml",
        "BuildRole.Properties.AssumeRolePolicyDocument.Statement.0.Condition",
        None,
        "a_role_is_assumed_for_this_account",
    ),
    ("alarms.yaml", "Missing.Properties.AlarmActions", [], "an_alarm_notifies"),
    (
        "pipeline.yaml",
        "BuildLogs.Properties.RetentionInDays",
        None,
        "logs_are_removed_after_some_days",
    ),
]


@pytest.mark.parametrize(("name", "path", "value", "rule"), MUTATIONS)
def test_a_rule_finds_a_template_that_breaks_it(
    name: str, path: str, value: object, rule: str
) -> None:
    document = copy.deepcopy(template(name))
    *parents, last = path.split(".")
    place: Any = document["Resources"]
    for step in parents:
        place = place[int(step)] if step.isdigit() else place[step]
    if value is None:
        del place[last]
    else:
        place[int(last) if last.isdigit() else last] = value

    assert broken(document) == {rule}


def test_every_rule_has_a_template_that_breaks_it() -> None:
    names = {line.split()[1] for line in RULES.splitlines() if line.startswith("rule ")}

    assert names == {rule for *_, rule in MUTATIONS}
