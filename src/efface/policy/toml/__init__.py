"""Read and write a policy as TOML, with the same words as in Python."""
