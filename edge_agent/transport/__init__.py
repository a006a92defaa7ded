"""Outbox to broker, and receipts back.

`Delivery` decides, `Link` is one MQTT connection, `Courier` moves rows between them and is the only
one that connects again.
"""

from edge_agent.transport.courier import Courier
from edge_agent.transport.delivery import Delivery, Verdict
from edge_agent.transport.sessions import Sessions

__all__ = ["Courier", "Delivery", "Sessions", "Verdict"]
