"""A table's own KMS key, which DynamoDB uses with the rights of the identity that calls it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
"""

import re

# KMS's own message, which DynamoDB quotes. The name of a table may have KMS in it.
DENIED = re.compile(r"KMS key|AWSKMS|\bkms:[A-Z]")


def kms_remedy(cause: str) -> str | None:
    """What to grant if the cause is that KMS denied the key, or None."""
    if not DENIED.search(cause):
        return None
    return (
        "Grant docs/iam/dynamodb-kms.json for the table's KMS key, also to the executors, and "
        "check the key's policy"
    )


def named(cause: str) -> str:
    """The cause, after what it means if KMS denied the key: a terminal shows its beginning."""
    if not DENIED.search(cause):
        return cause
    return f"the table's KMS key was denied, grant docs/iam/dynamodb-kms.json ({cause})"
