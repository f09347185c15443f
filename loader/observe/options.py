"""The options of what is sent at the end of a run."""

import argparse


def observe_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    add(
        "--metrics",
        choices=("emf", "none"),
        help="print the metrics of the run at its end, as lines of JSON in CloudWatch's embedded "
        "metric format (default: none)",
    )
    add(
        "--otel",
        action="store_true",
        help="send a trace and the metrics of the run by OpenTelemetry; needs the extra otel",
    )
    add(
        "--notify",
        metavar="ARN",
        help="SNS topic that gets a message when the run ends; the URL of a webhook is a secret, "
        "so it is read from $LOADER_NOTIFY_URL (default: none)",
    )
    add(
        "--notify-on",
        metavar="ENDS",
        help="ends of a run that are notified: problem (any but complete), incomplete, guarded, "
        "refused, failed, interrupted, complete, deviates, always, never; several with commas "
        "(default: problem)",
    )
