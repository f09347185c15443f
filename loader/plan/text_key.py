"""A key of one text: it travels as it is, and becomes JSON once an item, not once a row."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from loader.plan.json_text import json_text

# https://www.rfc-editor.org/rfc/rfc8259#section-7
TO_BE_ESCAPED = r'[\x00-\x1f"\\]'


@dataclass(frozen=True)
class TextKey:
    """The key attribute's name."""

    name: str

    def encode(self, texts: pa.StringArray) -> pa.StringArray:
        """`"user_id":{"S":"12347"}` for 12347; null for null."""
        special = pc.match_substring_regex(texts, TO_BE_ESCAPED)
        if pc.any(special).as_py():
            found = [None if t is None else json_text(t)[1:-1] for t in texts.to_pylist()]
            texts = pa.array(found, pa.string())
        opening = json_text(self.name) + ':{"S":"'
        return pc.binary_join_element_wise(opening, texts, '"}', "")
