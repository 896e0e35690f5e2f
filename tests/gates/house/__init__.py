"""The law of the house as functions: each takes source text or manifests and returns what breaks a rule.

The tests beside this package run them on the repository, and on bad samples that they must catch.
"""
