"""The HTML pages of the loader, from the templates beside this module; everything is escaped."""

from functools import cache
from typing import TYPE_CHECKING, Any

from loader.printable import plain_key
from loader.report import formats

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """The page that a template makes of these values."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "Environment":
    """The templates; a load imports Jinja only when it writes its report."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("loader.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for show in (formats.count, formats.seconds, formats.size, plain_key):
        environment.filters[show.__name__] = show
    return environment
