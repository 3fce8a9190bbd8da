"""The tables Efface owns, and small functions over each."""
