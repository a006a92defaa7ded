"""What hands do at a shelf: reach, pick, put back, and what is left."""

from edge_agent.shelf.eyes import Eyes
from edge_agent.shelf.shelves import Shelves

__all__ = ["Eyes", "Shelves"]
