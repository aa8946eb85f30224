"""What entities look like on the wire: plain dicts in the contract's names, made by hand because lists must be fast."""
