"""Publish a notification to an SNS topic."""

from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from loader import aws, tls
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
        url = client.meta.endpoint_url
        if not plain_http and (problem := tls.plain_text_problem("SNS", url)):
            return problem
        client.publish(TopicArn=topic, Subject=subject, Message=document)
    except (BotoCoreError, ClientError) as error:
        return reason(error)
    return None
