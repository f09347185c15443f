"""Properties as they may be shown: what looks secret is masked."""

import re
from collections.abc import Mapping

# The default of spark.redaction.regex in Spark 4; as there, names and values are searched, since
# -Djavax.net.ssl.trustStorePassword=… is a secret in a property with a harmless name.
# https://spark.apache.org/docs/latest/configuration.html#runtime-environment
SECRET = re.compile(r"secret|password|token|access[.]?key|credential", re.IGNORECASE)
# scheme://user:password@host
SIGNED_ADDRESS = re.compile(r"://[^/\s]*:[^/\s]*@")
MASK = "*********(redacted)"


def redact(properties: Mapping[str, str]) -> dict[str, str]:
    """The same properties by name; a value is masked where it or its name looks secret."""
    return {
        name: MASK
        if SECRET.search(name) or SECRET.search(value) or SIGNED_ADDRESS.search(value)
        else value
        for name, value in sorted(properties.items())
    }
