"""Efface and the packages that people use on Django, beside the same SQL by hand.

Each package has processes of its own, one for each measure and database: some of them change every
model, or slow down every deletion, of the process that they are installed in. In each process the
package and the SQL by hand take turns, so that ratios can be read side by side.
"""
