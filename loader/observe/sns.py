"""Publish a notification to an SNS topic."""

from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from loader import aws
from loader.errors import reason
from loader.observe.channels import TOPIC

TIMEOUT_SECONDS = 5


def publish(topic: str, subject: str, document: str, plain_http: bool = False) -> str | None:
    """Publish the document in the topic's region; returns why it was not accepted, or None."""
    match = TOPIC.fullmatch(topic)
    region = match["region"] if match else None
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    config = Config(
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    try:
        client: Any = aws.session(region).create_client("sns", config=config)
        if problem := aws.address_problem("SNS", client.meta.endpoint_url, plain_http):
            return problem
        client.publish(TopicArn=topic, Subject=subject, Message=document)
    except ClientError as error:
        return reason(error)
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
        return aws.client_cause(error)
    return None
