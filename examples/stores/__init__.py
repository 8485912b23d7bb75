"""Stores to copy, for `chatkit_prod.access.OwnershipStore` to stand in front of."""
