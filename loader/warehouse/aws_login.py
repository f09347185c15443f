"""The login of the warehouse from AWS: temporary credentials of Redshift, or a secret.

botocore reads other endpoints from AWS_ENDPOINT_URL_REDSHIFT, AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS
and AWS_ENDPOINT_URL_SECRETS_MANAGER.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from loader.aws import REGION_OF_PROFILE, region_of_environment
from loader.errors import Refused, reason
from loader.tls import plain_text_problem
from loader.warehouse.sign_in import IAM, SECRET, Login, Secrets, SignIn

# The longest that GetClusterCredentials and GetCredentials allow.
# https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
TEMPORARY_SECONDS = 3600
# shop.abc123.eu-west-1.redshift.amazonaws.com, shop.123.eu-west-1.redshift-serverless.amazonaws.com
REDSHIFT_HOST = re.compile(
    r"((?P<workgroup>.+)\.)?[^.]+\.(?P<region>[a-z]{2}(-[a-z]+)+-\d)"
    r"\.redshift(-serverless)?\.amazonaws\.com(\.cn)?\Z"
)
SECRET_ARN = re.compile(r"arn:[a-z-]+:secretsmanager:([a-z0-9-]+):\d+:secret:.+")


@dataclass(frozen=True)
class Warehouse:
    """Where to sign in to."""

    host: str
    database: str
    allow_plain_http: bool = False


def aws_login(how: SignIn, warehouse: Warehouse, secrets: Secrets) -> Login:
    """User and password from AWS; raises `Refused` if it does not give any."""
    if how.method == SECRET:
        return _of_secret(how, warehouse)
    try:
        return _temporary(how, warehouse, secrets)
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"cannot sign in to {warehouse.host} by IAM: {reason(error)}. Check "
            "iam_profile, region, cluster_id or serverless_work_group, and the IAM policy"
        ) from None


def _temporary(how: SignIn, warehouse: Warehouse, secrets: Secrets) -> Login:
    """Temporary credentials, requested as dbt-redshift does."""
    host = REDSHIFT_HOST.match(warehouse.host)
    service = "redshift-serverless" if how.serverless else "redshift"
    region = how.region or (host["region"] if host else None)
    client = _client(service, "Redshift", how, region, warehouse, secrets)
    asked = time.time()
    if how.serverless:
        workgroup = how.workgroup or (host["workgroup"] if host else None)
        of = {"workgroupName": workgroup} if workgroup else {}
        answer = client.get_credentials(
            **(of or {"customDomainName": warehouse.host}),
            dbName=warehouse.database,
            durationSeconds=TEMPORARY_SECONDS,
        )
        expires = answer.get("expiration")
        return Login(answer["dbUser"], answer["dbPassword"], asked, _seconds(expires, asked))
    cluster = {
        "DbName": warehouse.database,
        "ClusterIdentifier": how.cluster_id,
        "DurationSeconds": TEMPORARY_SECONDS,
    }
    answer = (
        client.get_cluster_credentials(
            **cluster,
            DbUser=how.user,
            AutoCreate=how.autocreate,
            DbGroups=list(how.db_groups),
        )
        if how.method == IAM
        else client.get_cluster_credentials_with_iam(**cluster)
    )
    expires = answer.get("Expiration")
    return Login(answer["DbUser"], answer["DbPassword"], asked, _seconds(expires, asked))


def _of_secret(how: SignIn, warehouse: Warehouse) -> Login:
    """`username` and `password` of a secret in JSON; Redshift's managed secrets have more fields.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
    """
    of_arn = SECRET_ARN.fullmatch(how.secret)
    region = how.region or (of_arn[1] if of_arn else None)
    try:
        client = _client("secretsmanager", "Secrets Manager", how, region, warehouse, Secrets())
        text = client.get_secret_value(SecretId=how.secret).get("SecretString")
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"cannot read secret {how.secret} to sign in to {warehouse.host}: {reason(error)}. "
            "Check its name, its Region and the permission secretsmanager:GetSecretValue"
        ) from None
    try:
        document = json.loads(text or "")
        user, password = document["username"], document["password"]
    except (ValueError, LookupError, TypeError):
        user = password = None
    if not (isinstance(user, str) and isinstance(password, str)):
        raise Refused(
            f"secret {how.secret} must be JSON with username and password, got another form: "
            "store them as in a secret that Redshift manages"
        )
    return Login(user, password, time.time())


def _client(
    service: str,
    name: str,
    how: SignIn,
    region: str | None,
    warehouse: Warehouse,
    secrets: Secrets,
) -> Any:
    """A new client: the credentials of a file may have been renewed."""
    keys = how.method == IAM and secrets.access_key_id
    profile = None if keys or not how.profile else how.profile
    session = Session(session_vars=REGION_OF_PROFILE, profile=profile)
    client: Any = session.create_client(
        service,
        region_name=region or region_of_environment(),
        aws_access_key_id=secrets.access_key_id if keys else None,
        aws_secret_access_key=secrets.secret_access_key if keys else None,
    )
    url = client.meta.endpoint_url
    if not warehouse.allow_plain_http and (problem := plain_text_problem(name, url)):
        raise Refused(problem)
    return client


def _seconds(expires: datetime | None, asked: float) -> float:
    """The time of an answer; without one, the time that was asked for."""
    return expires.timestamp() if expires else asked + TEMPORARY_SECONDS
