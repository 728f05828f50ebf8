"""The audit log: every decision as a leaf of a Merkle tree, its texts encrypted apart from it.

`docs/audit-format.md` has every byte of it; `docs/decisions/0002-audit-storage.md` the reasons.
"""
