"""The keys of split items: the sort key of each is its number within its group."""

import re

import pyarrow as pa

from loader.items.json_text import json_text


def group_key(key: str, split: str | None) -> str:
    """The key without the number of a split item; `split` is the name of that attribute."""
    if split is None:
        return key
    return re.sub(rf'(?s),{re.escape(json_text(split))}:\{{"N":"\d+"\}}\Z', "", key)


def group_keys(keys: pa.StringArray, split: str | None) -> pa.StringArray:
    """The same for an array of keys."""
    if split is None:
        return keys
    return pa.array([group_key(key, split) for key in keys.to_pylist()], pa.string())
