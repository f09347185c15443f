"""The equations of a report's totals."""

from dataclasses import dataclass, field
from typing import Annotated

from loader.report.field_annotations import doc


@dataclass(frozen=True)
class Term:
    """One number of an equation."""

    what: Annotated[str, doc("What is counted.")]
    count: Annotated[int, doc("How many.")]


@dataclass
class Equation:
    """One equation of the totals: the left count must be the sum of the right ones."""

    name: Annotated[str, doc("Name of the equation.")]
    left: Annotated[Term, doc("The left side.")]
    right: Annotated[list[Term], doc("The terms of the right side.")]
    holds: Annotated[bool, doc("Whether both sides are equal.")] = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.holds = self.left.count == sum(term.count for term in self.right)

    @property
    def problem(self) -> str:
        """The broken rule with its numbers."""
        what = " + ".join(term.what for term in self.right)
        counts = " + ".join(f"{term.count:,}" for term in self.right)
        return f"{self.left.what} must be {what}, got {self.left.count:,} and {counts}"
