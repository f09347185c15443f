"""What a sample says about the whole: the exact bound of Clopper and Pearson, without SciPy.

https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Clopper%E2%80%93Pearson_interval
"""

from math import exp, lgamma, log, log1p

CONFIDENCE = 0.95
STEPS = 60  # bisections, each of which halves the error
LEAST = 1e-17  # of the sum: smaller terms do not change it


def upper_bound(found: int, sample: int, confidence: float = CONFIDENCE) -> float:
    """The share of the whole that is at most affected if `found` of the `sample` are.

    If the share were larger, a sample would have more than `found` with this confidence. Of a
    sample without any it is about 3 / sample (the rule of three). 1.0 without a sample.
    """
    if found >= sample:
        return 1.0
    low, high = found / sample, 1.0
    for _ in range(STEPS):
        share = (low + high) / 2
        if at_most(found, sample, share) > 1 - confidence:
            low = share
        else:
            high = share
    return high


def at_most(found: int, sample: int, share: float) -> float:
    """The probability of at most `found` in a sample, for found <= sample × share.

    The terms shrink from `found` down to 0, so only the first ones count.
    """
    total = 0.0
    term = _probability(found, sample, share)
    for count in range(found, -1, -1):
        total += term
        if term < LEAST * total:
            break
        term *= count * (1 - share) / ((sample - count + 1) * share)
    return total


def _probability(found: int, sample: int, share: float) -> float:
    if share >= 1:
        return 0.0
    choose = lgamma(sample + 1) - lgamma(found + 1) - lgamma(sample - found + 1)
    return exp(choose + found * log(share) + (sample - found) * log1p(-share))
