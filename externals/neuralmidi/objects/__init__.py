"""The Pd classes that are written in Python: one file each, and a help patch beside the external."""
