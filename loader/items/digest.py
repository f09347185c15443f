"""The digest of an item, as the changeset and the list of rejects record it."""

from hashlib import blake2b

DIGEST_BYTES = 16


def digest(attributes: str) -> bytes:
    """BLAKE2b of an item's JSON without its outer braces; a text may contain a lone surrogate."""
    return blake2b(attributes.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
