"""How many bad inputs are tested with the whole message that a person sees."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LEAST = 60


def test_at_least_60_bad_inputs_have_their_whole_message_asserted() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "refused", "tests"]
    listed = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    tests = [line for line in listed.stdout.splitlines() if "::" in line]
    assert listed.returncode == 0, listed.stdout
    assert len(tests) >= LEAST
