"""The ARN of an IAM role, and the external id that its trust policy asks for.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

import re

ROLE = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}"
EXTERNAL_ID = r"[A-Za-z0-9_+=,.@:/-]{2,1224}"


def is_role(text: str) -> bool:
    return re.fullmatch(ROLE, text) is not None


def is_external_id(text: str) -> bool:
    return re.fullmatch(EXTERNAL_ID, text) is not None
