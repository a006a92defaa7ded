"""The models' manifest and the command that fetches what it names. No unit imports this."""
