"""The models' manifest and the command that fetches what it names. No unit imports this."""

# Keeps onnxruntime from reporting to its maker, whichever module imports it first.
import edge_agent as edge_agent
