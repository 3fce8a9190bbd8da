"""STAGE 2 · every table with rows of the subject, and the paths that find them."""
