"""TLS as botocore does it, for the requests that do not go by botocore.

The authorities are those of AWS_CA_BUNDLE, of `ca_bundle` in the AWS profile, of
REQUESTS_CA_BUNDLE, or botocore's own, in this order:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html
"""

import os
import ssl


def chosen_bundle() -> str | None:
    """The file of authorities that the user names; looked up where it is used, as credentials."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    configured: str | None
    try:
        configured = Session().get_config_variable("ca_bundle")
    except BotoCoreError:  # no such AWS profile, which the client of DynamoDB will tell
        configured = os.environ.get("AWS_CA_BUNDLE")
    return configured or os.environ.get("REQUESTS_CA_BUNDLE")


def context() -> ssl.SSLContext:
    """Verifies certificate and host name."""
    from botocore.httpsession import where

    return ssl.create_default_context(cafile=chosen_bundle() or where())


def bundle_problem() -> str | None:
    """Why the user's file of authorities cannot be used, or None."""
    try:
        ssl.create_default_context(cafile=(bundle := chosen_bundle()))
    except OSError as error:
        what = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        return (
            f"AWS_CA_BUNDLE or ca_bundle must be a PEM file of certificates, got {bundle} ({what}):"
            " mend the path, or unset it to trust the usual authorities"
        )
    return None
