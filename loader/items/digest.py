"""The digest of an item, as the changeset, the state and the list of rejects record it.

An item's text is canonical: whatever notation the warehouse or DynamoDB has for its values, equal
items have one text (docs/decisions/0014).
"""

from hashlib import blake2b

# Raise it when the text of the same item changes: then every digest of a state is out of date.
ENCODING = 1
DIGEST_BYTES = 16


def digest(text: str) -> bytes:
    """BLAKE2b of an item's canonical JSON without its outer braces.

    The text may contain a lone surrogate.
    """
    return blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
