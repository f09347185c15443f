import pytest

from loader.redaction import MASK, redact


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spark.hadoop.fs.s3a.secret.key", "hunter2"),
        ("spark.hadoop.fs.s3a.access.key", "hunter2"),
        ("spark.ssl.keyPassword", "hunter2"),
        ("spark.oauthToken", "hunter2"),
        ("spark.hadoop.fs.s3a.aws.credentials.provider", "hunter2"),
        ("spark.driver.extraJavaOptions", "-Djavax.net.ssl.trustStorePassword=hunter2"),
        ("spark.hadoop.proxy", "http://me:hunter2@proxy:3128"),
    ],
)
def test_a_property_that_looks_secret_is_masked(name: str, value: str) -> None:
    assert redact({name: value}) == {name: MASK}


def test_other_properties_are_shown_in_the_order_of_their_names() -> None:
    properties = {"spark.z": "local[2,4]", "spark.a": "http://proxy:3128/a@b"}

    assert list(redact(properties).items()) == sorted(properties.items())
