import pytest

from loader.errors import reason
from loader.redaction import hide, holds_secret, secrets_of

QUOTING = """The request signature we calculated does not match the signature you provided. Check \
your AWS Secret Access Key and signing method.

The Canonical String for this request should have been
'POST
/

host:dynamodb.eu-west-1.amazonaws.com
x-amz-security-token:IQoJb3JpZ2lu
'

The String-to-Sign should have been
'AWS4-HMAC-SHA256'
"""


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("spark.hadoop.fs.s3a.secret.key", "x", True),
        ("spark.hadoop.fs.s3a.access.key", "x", True),
        ("spark.hadoop.fs.s3a.session.token", "x", True),
        ("spark.executorEnv.REDSHIFT_PASSWORD", "x", True),
        ("spark.driver.extraJavaOptions", "-Djavax.net.ssl.trustStorePassword=x", True),
        ("spark.driver.extraJavaOptions", "-Djavax.net.ssl.trustStore=x", False),
        ("spark.jars.packages", "org.example:token-library:1.0", False),
        ("spark.driver.memory", "2g", False),
        ("spark.hadoop.fs.s3a.aws.credentials.provider", "org.example.Provider", False),
        ("spark.jars.repositories", "https://me:hunter2@example.com/jars", True),
    ],
)
def test_a_secret_is_known_by_its_name_or_by_an_assignment(
    name: str, value: str, secret: bool
) -> None:
    assert holds_secret(name, value) is secret


def test_secrets_of_a_profile_are_the_values_under_their_names_and_of_their_variables() -> None:
    profile = {
        "user": "loader",
        "pass": 7654321,
        "password": "{{ env_var('WAREHOUSE_PASSWORD') }}",
        "iam": [{"secret_access_key": "abc", "access_key_id": ["AKIA"], "token": None}],
    }

    assert set(secrets_of(profile, {"WAREHOUSE_PASSWORD": "hunter2", "USER": "me"})) == {
        "7654321",
        "{{ env_var('WAREHOUSE_PASSWORD') }}",
        "hunter2",
        "abc",
        "AKIA",
    }


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("'hunter2' is not valid", "'***' is not valid"),
        ("hunter2hunter2 hunter2", "hunter2hunter2 ***"),
        ("a.b* or a+b*", "a.b* or ***"),
        ("longer than long: long-er", "longer than ***: ***"),
    ],
)
def test_a_secret_is_hidden_where_it_is_a_word(text: str, hidden: str) -> None:
    assert hide(text, ["hunter2", "a+b*", "", "long", "long-er"]) == hidden


def test_a_reason_is_one_line_without_the_request_that_a_service_quotes() -> None:
    assert reason(QUOTING) == (
        "The request signature we calculated does not match the signature you provided. Check "
        "your AWS Secret Access Key and signing method"
    )


def test_a_reason_does_not_name_a_line_of_pythons_source() -> None:
    assert reason("certificate verify failed: self-signed certificate (_ssl.c:1016)") == (
        "certificate verify failed: self-signed certificate"
    )
