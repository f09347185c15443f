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

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from loader import aws
from loader.errors import Refused, reason
from loader.warehouse.sign_in import IAM, SECRET, Login, Secrets, SignIn

# The longest that GetClusterCredentials and GetCredentials allow.
# https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
TEMPORARY_SECONDS = 3600
# A run waits for the answer before it reads; botocore tries five times.
CONNECT_SECONDS, READ_SECONDS = 5, 20
# shop.abc123.eu-west-1.redshift.amazonaws.com, shop.123.eu-west-1.redshift-serverless.amazonaws.com
REDSHIFT_HOST = re.compile(
    r"((?P<workgroup>.+)\.)?[^.]+\.(?P<region>[a-z]{2,4}(-[a-z]+)+-\d)"
    r"\.redshift(-serverless)?\.amazonaws\.(com|com\.cn|eu)\Z"
)
# Services of AWS, and what botocore names them.
IDS = {
    "Redshift": "redshift",
    "Redshift Serverless": "redshift-serverless",
    "Secrets Manager": "secretsmanager",
}
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
    service = "Redshift Serverless" if how.serverless else "Redshift"
    region = how.region or (host["region"] if host else None)
    client = _client(service, how, region, warehouse, secrets)
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
        client = _client("Secrets Manager", how, region, warehouse, Secrets())
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
    if not (isinstance(user, str) and isinstance(password, str) and user and password):
        raise Refused(
            f"secret {how.secret} must be JSON with username and password, got another form: "
            "store them as in a secret that Redshift manages"
        )
    return Login(user, password, time.time())


def _client(
    service: str, how: SignIn, region: str | None, warehouse: Warehouse, secrets: Secrets
) -> Any:
    """A new client: the credentials of a file may have been renewed. `service` is AWS's name."""
    keys = how.method == IAM and secrets.access_key_id
    profile = None if keys or not how.profile else how.profile
    session = Session(session_vars=aws.REGION_OF_PROFILE, profile=profile)
    try:
        if not keys:
            aws.refuse_mfa(session)
        client: Any = session.create_client(
            IDS[service],
            region_name=region or aws.region_of_environment(),
            aws_access_key_id=secrets.access_key_id if keys else None,
            aws_secret_access_key=secrets.secret_access_key if keys else None,
            config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS),
        )
    except aws.Misconfigured as error:
        raise Refused(str(error)) from None
    except BotoCoreError:
        raise
    except ValueError as error:  # the endpoint is not a URL
        raise Refused(
            f"cannot create a client of {service}: {aws.client_cause(error)}. Check "
            f"{aws.endpoint_variable(service)}, AWS_ENDPOINT_URL and the AWS profile"
        ) from None
    if problem := aws.address_problem(
        service, client.meta.endpoint_url, warehouse.allow_plain_http
    ):
        raise Refused(problem)
    return client


def _seconds(expires: datetime | None, asked: float) -> float:
    """The time of an answer; without one, the time that was asked for."""
    return expires.timestamp() if expires else asked + TEMPORARY_SECONDS
