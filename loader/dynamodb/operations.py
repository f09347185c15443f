"""The operations of DynamoDB that tasks call without botocore's client."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    """`result` is a field that every successful answer has, and that no proxy's page has."""

    name: str
    result: str


# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
BATCH_WRITE_ITEM = Operation("BatchWriteItem", "UnprocessedItems")
BATCH_GET_ITEM = Operation("BatchGetItem", "Responses")
SCAN = Operation("Scan", "Items")
