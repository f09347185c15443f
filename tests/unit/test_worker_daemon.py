import subprocess
import sys


def test_importing_the_daemon_does_not_import_pandas() -> None:
    code = "import sys, loader.worker_daemon; print('pandas' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
