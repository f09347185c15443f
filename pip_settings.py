"""Print pip's settings (PIP_INDEX_URL, PIP_CERT, pip.conf, …) as variables that uv reads.

    eval "$(python pip_settings.py)"

uv reads none of pip's settings, so behind a mirror `make setup` would install uv and then fail.
https://pip.pypa.io/en/stable/topics/configuration/, https://docs.astral.sh/uv/reference/environment/
"""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping

# The last section has precedence; `:env:` has the variables PIP_….
SECTIONS = ("global", "install", ":env:")
VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
}
SEPARATORS = {"UV_FIND_LINKS": ","}
# pip takes the best version of all indexes; uv by default looks only in the first that has a name.
ALL_INDEXES = {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def uv_variables(listing: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for the output of `pip config list`, except those that are set already."""
    settings = {}
    for section in SECTIONS:
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.+)$", listing, re.MULTILINE):
            settings[name] = str(ast.literal_eval(value))
    variables = {}
    for name, variable in VARIABLES.items():
        words = settings.get(name, "").split()
        if name == "find-links":  # pip ignores a folder that is missing
            words = [word for word in words if "://" in word or os.path.isdir(word)]
        if words:
            variables[variable] = SEPARATORS.get(variable, " ").join(words)
    if "UV_INDEX" in variables:
        variables |= ALL_INDEXES
    return {name: value for name, value in variables.items() if name not in environment}


def uv_settings() -> dict[str, str]:
    """The variables for this process's pip and environment."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return uv_variables(listing, os.environ)


def main() -> None:
    for name, value in uv_settings().items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
