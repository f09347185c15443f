"""The partition key in the JSON of a key."""

import json

DECODE = json.JSONDecoder().raw_decode


def partition_key(key: str) -> str:
    """`"user_id":{"S":"1"}` of `"user_id":{"S":"1"},"day":{"N":"2"}`."""
    _, end = DECODE(key)
    _, end = DECODE(key, end + 1)
    return key[:end]
