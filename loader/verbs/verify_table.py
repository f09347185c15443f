"""verify and state adopt: the commands that read a table."""

import argparse
import json

from loader.errors import COMPLETE, INCOMPLETE
from loader.verbs.given import settings_of
from loader.verbs.screen import print_lines, save_imports


def verify(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    save_imports(settings)
    from loader import verification
    from loader.verify.verify_lines import verify_lines

    against_state = options.against == "state"
    report = verification.verify(settings, options.name, against_state, options.sample)
    if options.json:
        print(json.dumps(report.to_dict()))
    else:
        print_lines(verify_lines(report))
    return COMPLETE if report.clean else INCOMPLETE


def adopt(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    save_imports(settings)
    from loader import adoption

    result = adoption.adopt(settings, options.name)
    if options.json:
        print(json.dumps(result.to_dict()))
    else:
        print_lines(adoption.adoption_lines(result))
    return COMPLETE
