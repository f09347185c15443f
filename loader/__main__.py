"""`python -m loader`."""

import sys

if __name__ == "__main__":
    # Python puts the current folder first, where a json.py would replace Python's own.
    if not sys.flags.safe_path:
        del sys.path[0]

    from loader.cli import main

    sys.exit(main())
