"""Calls: arguments become requests, answers become results."""
