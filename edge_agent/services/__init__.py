"""The processes of a unit, one module each; none imports another."""
