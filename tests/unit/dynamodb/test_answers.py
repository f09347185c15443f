import json
import zlib

import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from botocore.session import Session

from loader.dynamodb.answers import Answer, FailureKind, read_answer
from loader.pace.report import Throttle

ERROR = "com.amazonaws.dynamodb.v20120810#"
PUT = {"PutRequest": {"Item": {"user_id": {"S": "1"}}}}


def failed(status: int, name: str, message: str = "no", prefix: str = ERROR) -> Answer:
    document = {"__type": prefix + name, "message": message}
    return read_answer(status, {}, json.dumps(document).encode())


def test_an_answer_has_the_consumed_capacity_and_the_unprocessed_requests() -> None:
    document = {
        "UnprocessedItems": {"items": [PUT, {"DeleteRequest": {"Key": {"user_id": {"S": "2"}}}}]},
        "ConsumedCapacity": [
            {"TableName": "items", "CapacityUnits": 12.5},
            {"TableName": "items"},
            {"TableName": "other", "CapacityUnits": 2.0},
        ],
    }

    assert read_answer(200, {}, json.dumps(document).encode()) == Answer(
        consumed=14.5,
        unprocessed=(PUT, {"DeleteRequest": {"Key": {"user_id": {"S": "2"}}}}),
    )


def test_an_answer_has_the_units_of_the_table_with_its_local_indexes_and_of_global_indexes() -> (
    None
):
    document = {
        "UnprocessedItems": {},
        "ConsumedCapacity": [
            {
                "TableName": "items",
                "CapacityUnits": 9.0,
                "Table": {"CapacityUnits": 4.0},
                "LocalSecondaryIndexes": {"by_day": {"CapacityUnits": 2.0}},
                "GlobalSecondaryIndexes": {"by_item": {"CapacityUnits": 3.0}, "by_name": {}},
            }
        ],
    }

    assert read_answer(200, {}, json.dumps(document).encode()) == Answer(
        consumed=9.0, units={"": 6.0, "by_item": 3.0, "by_name": 0.0}
    )


@pytest.mark.parametrize("name", ["ThrottlingReasons", "throttlingReasons"])
def test_a_throttled_request_has_the_reasons_by_resource(name: str) -> None:
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/items"
    hot = {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": arn}
    index = {
        "reason": "IndexWriteProvisionedThroughputExceeded",
        "resource": f"{arn}/index/by_item",
    }
    document = {"__type": f"{ERROR}ThrottlingException", "message": "", name: [hot, index, hot]}

    assert read_answer(400, {}, json.dumps(document).encode()).throttles == (
        Throttle("", "TableWriteKeyRangeThroughputExceeded"),
        Throttle("by_item", "IndexWriteProvisionedThroughputExceeded"),
    )


@pytest.mark.parametrize("capacity", ["", ',"ConsumedCapacity":null', ',"ConsumedCapacity":[]'])
def test_an_answer_without_capacity_consumed_nothing(capacity: str) -> None:
    assert read_answer(200, {}, f'{{"UnprocessedItems":{{}}{capacity}}}'.encode()) == Answer()


@pytest.mark.parametrize(
    "error",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
    ],
)
@pytest.mark.parametrize("prefix", [ERROR, "com.amazon.coral.availability#", ""])
def test_throttling_errors_are_throttled(error: str, prefix: str) -> None:
    assert failed(400, error, "Rate exceeded", prefix) == Answer(
        failure=FailureKind.THROTTLED, error=error, cause=f"{error}: Rate exceeded"
    )


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
        (400, "ExpiredTokenException"),
        (400, "ExpiredToken"),
        (400, "RequestExpired"),
        (400, "ReplicatedWriteConflictException"),
        (409, "ReplicatedWriteConflictException"),
        (400, "TransactionConflictException"),
        (400, "TransactionInProgressException"),
        (400, "InternalServerError"),
        (400, "ServiceUnavailableException"),
        (400, "RequestTimeout"),
        (507, "AnythingElse"),
    ],
)
def test_errors_that_may_pass_are_transient(status: int, error: str) -> None:
    assert failed(status, error) == Answer(
        failure=FailureKind.TRANSIENT, error=error, cause=f"{error}: no"
    )


@pytest.mark.parametrize(
    "error",
    [
        "ValidationException",
        "ItemCollectionSizeLimitExceededException",
        "ResourceNotFoundException",
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SerializationException",
    ],
)
def test_every_other_error_is_permanent(error: str) -> None:
    assert failed(400, error) == Answer(
        failure=FailureKind.PERMANENT, error=error, cause=f"{error}: no"
    )


def test_every_error_that_botocore_retries_is_sent_again() -> None:
    throttled = ThrottledRetryableChecker()._throttled_error_codes
    transient = TransientRetryableChecker()._transient_error_codes

    kinds = {error: failed(400, error).failure for error in {*throttled, *transient}}

    assert {error for error, kind in kinds.items() if kind is FailureKind.PERMANENT} == set()
    assert {error for error in throttled if kinds[error] is not FailureKind.THROTTLED} == {
        "TransactionInProgressException"  # the load is not too fast: another write is in progress
    }


def test_every_error_of_the_operation_has_a_rule() -> None:
    service = Session().get_service_model("dynamodb")
    shapes = service.operation_model("BatchWriteItem").error_shapes

    kinds = {shape.name: failed(400, shape.name).failure for shape in shapes}

    assert {error for error, kind in kinds.items() if kind is FailureKind.PERMANENT} == {
        "ItemCollectionSizeLimitExceededException",
        "ResourceNotFoundException",
    }


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/coral/"}, ""),
        ({"x-amzn-errortype": "com.amazon.coral.availability#ThrottlingException"}, ""),
        ({}, '{"code":"ThrottlingException"}'),
    ],
)
def test_an_answer_without_a_type_in_its_body_may_name_its_error_elsewhere(
    headers: dict[str, str], body: str
) -> None:
    answer = read_answer(400, headers, body.encode())

    assert (answer.failure, answer.error) == (FailureKind.THROTTLED, "ThrottlingException")


def test_a_message_with_a_capital_m_is_read_too() -> None:
    body = json.dumps({"__type": ERROR + "AccessDeniedException", "Message": "not you"}).encode()

    assert read_answer(400, {}, body) == Answer(
        failure=FailureKind.PERMANENT,
        error="AccessDeniedException",
        cause="AccessDeniedException: not you",
    )


def test_an_html_page_with_503_is_transient_and_its_start_is_the_cause() -> None:
    body = b"<html>\xff" + b"x" * 300

    assert read_answer(503, {"Content-Type": "text/html"}, body) == Answer(
        failure=FailureKind.TRANSIENT,
        error="HTTP 503",
        cause="HTTP 503: <html>\N{REPLACEMENT CHARACTER}" + "x" * 193,
    )


@pytest.mark.parametrize(
    ("status", "failure"),
    [(200, FailureKind.TRANSIENT), (502, FailureKind.TRANSIENT), (404, FailureKind.PERMANENT)],
)
@pytest.mark.parametrize("body", ["", "junk", "{", "{}"])
def test_a_body_that_is_not_json_is_classified_by_its_status(
    status: int, failure: FailureKind, body: str
) -> None:
    assert read_answer(status, {}, body.encode()) == Answer(
        failure=failure, error=f"HTTP {status}", cause=f"HTTP {status}: {body}"
    )


@pytest.mark.parametrize("body", ["[]", "null", '"Service Unavailable"', "7"])
@pytest.mark.parametrize("status", [200, 503])
def test_json_that_is_not_an_object_is_classified_by_its_status(status: int, body: str) -> None:
    assert read_answer(status, {}, body.encode()) == Answer(
        failure=FailureKind.TRANSIENT, error=f"HTTP {status}", cause=f"HTTP {status}: {body}"
    )


def test_a_body_with_a_wrong_checksum_is_transient() -> None:
    body = b'{"UnprocessedItems":{}}'
    right = zlib.crc32(body)

    assert read_answer(200, {"x-amz-crc32": str(right)}, body) == Answer()
    assert read_answer(200, {"x-amz-crc32": "17"}, body) == Answer(
        failure=FailureKind.TRANSIENT,
        error="ChecksumError",
        cause=f"cannot read the answer: its CRC is {right} instead of 17",
    )
