"""Who is no customer, by place and behaviour: never by what somebody looks like. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge_agent.config import StaffRules
from edge_agent.observations import Visit


def _always(_t: float) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Staff:
    """A shop's rules, applied to visits that are over.

    Args:
        rules: the site's.
        is_open: whether the shop was open at a second of the source's clock.
    """

    rules: StaffRules = field(default_factory=StaffRules)
    is_open: Callable[[float], bool] = _always

    def behind(self, visit: Visit) -> bool:
        """Whether this was a visit of staff.

        A shopper who is still there when the shop closes came while it was open: it is when the
        visit began that counts.
        """
        return not self.is_open(visit.enter_s) or self._stands_on(visit) or self._fills(visit)

    def _stands_on(self, visit: Visit) -> bool:
        most = self.rules.dwell_s
        return most is not None and visit.dwell_s >= most

    def _fills(self, visit: Visit) -> bool:
        """Who lays more on the shelf than he takes, and much of it, restocks."""
        least = self.rules.put_backs
        return least is not None and visit.put_backs >= max(least, visit.picks + 1)
