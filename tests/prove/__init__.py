"""The two promises as checks that anyone can run: nothing leaves but counts, no count is lost.

Each part proves some claims and says with which figure; `make prove` runs them all and writes
docs/proof.md. A part's `prove` takes the scale and a folder of its own and gives a `Row` a claim.
"""
