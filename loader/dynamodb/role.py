"""The role by which a command reaches its table, if the table is in another account."""

from dataclasses import replace
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from loader import aws
from loader.assumed_role import AssumedRole, sts_client
from loader.errors import Refused, reason
from loader.proxies import proxy_for
from loader.settings import Settings

POLICIES = (
    "Allow it to the identity of that message, with this external id, in the role's trust policy "
    "(docs/iam/trust-external-id.json), and grant it docs/iam/assume-role.json"
)
OTHERWISE = "Check the credentials, AWS_ENDPOINT_URL_STS and the route to STS"


class DeclaresRole(Protocol):
    """An export or a plan; empty texts mean that there is none."""

    @property
    def role_arn(self) -> str: ...
    @property
    def external_id(self) -> str: ...


def table_role(
    settings: Settings, declared: DeclaresRole, session_name: str, region: str | None
) -> AssumedRole | None:
    """The role of the options, else that of the export, with the address of STS; None without one.

    Raises `Refused` if STS cannot be asked.
    """
    arn = settings.dynamodb_role or declared.role_arn
    external_id = settings.dynamodb_external_id or declared.external_id
    if not arn:
        if not external_id:
            return None
        raise Refused(
            f"--dynamodb-external-id must be used with a role, got {external_id} alone: give "
            "--dynamodb-role, or role_arn of the exposure"
        )
    role = AssumedRole(arn, external_id, session_name, region)
    try:
        meta = sts_client(aws.session(region), role).meta
    except aws.Misconfigured as error:
        raise Refused(str(error)) from None
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
        raise Refused(
            f"cannot create a client of STS for {role}: {aws.client_cause(error)}. Check "
            "AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL_STS"
        ) from None
    url = meta.endpoint_url
    if problem := aws.address_problem("STS", url, settings.allow_plain_http):
        raise Refused(problem)
    return replace(role, region=meta.region_name, endpoint=url, proxy=proxy_for(url))


def role_problem(session: Any, role: AssumedRole) -> str | None:
    """Why the session, botocore's, cannot assume its role now, or None."""
    credentials = session.get_credentials()
    if credentials is None:
        return (
            f"cannot assume {role} for DynamoDB: no AWS credentials found. Provide those of an "
            "identity that the role trusts"
        )
    try:
        credentials.get_frozen_credentials()
    except ClientError as error:
        denied = error.response["Error"].get("Code") in ("AccessDenied", "AccessDeniedException")
        cause, remedy = reason(error), POLICIES if denied else OTHERWISE
    except (BotoCoreError, RuntimeError) as error:  # RuntimeError: expired when they were given
        cause, remedy = reason(error), OTHERWISE
    else:
        return None
    return f"cannot assume {role} for DynamoDB: {cause}. {remedy}"
