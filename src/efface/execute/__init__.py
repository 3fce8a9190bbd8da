"""STAGE 4 · carry out the plan in one transaction, in an order that is the design."""
