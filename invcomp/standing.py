"""Where a picture stands among held-out pictures of a prior's domain, and what is done with a stranger."""

import math
from dataclasses import dataclass

from invcomp.priors.calibration import UNUSUAL
from invcomp.priors.info import PriorInfo

ON_MISMATCH = ("warn", "fail", "fallback")
"""What is done with a picture that is not of the prior's domain: said, refused, stored by another codec."""


@dataclass(frozen=True)
class Standing:
    """Shares of held-out pictures, in [0, 1], that a picture is less usual than; None where that is not known."""

    distortion: float | None = None
    """That the prior reproduces with less distortion, at the rate index of the file."""
    domain: float | None = None
    """Whose features lie nearer to the domain's."""

    @property
    def mismatch(self) -> bool:
        """Whether the picture is taken for none of the domain.

        It is by its looks beyond the 99th percentile. Distortion alone decides so where the prior does not know looks;
        where it does, only beyond every held-out picture, so that two measures do not warn of twice as many.
        """
        if self.domain is None:
            return self.distortion is not None and self.distortion > UNUSUAL
        return self.domain > UNUSUAL or (self.distortion is not None and self.distortion >= 1)

    def sentence(self, info: PriorInfo) -> str:
        """What is to be said of a picture that is none of the domain."""
        by_domain = self.domain is not None and self.domain > UNUSUAL
        share = self.domain if by_domain else self.distortion
        usual = info.usual
        assert share is not None
        assert usual is not None
        shown = "all" if share >= 1 else f"{math.floor(1000 * share) / 10:.1f} %"
        number = usual.pictures if by_domain else usual.decoded
        less = "look more usual" if by_domain else "come back truer"
        return (
            f"this does not look like what the prior {info.name} is for ({info.domain}): {shown} of "
            f"{number:,} held-out pictures of that kind {less}"
        )


UNKNOWN = Standing()
WARNING = "what comes back may be invented"
WARNING_MEND = "--on-mismatch fallback stores a WebP or JPEG XL instead"
REFUSAL_MEND = "--align cuts faces out of larger pictures; else give another --prior, or another --on-mismatch"
