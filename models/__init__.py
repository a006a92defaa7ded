"""The models' manifest and the command that fetches what it names. No unit imports this."""

import os

# As in edge_agent, whichever of the two is imported first.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
