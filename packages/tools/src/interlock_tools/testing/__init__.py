"""Stand-ins that tests and the demonstration run against: real servers on loopback, never mocks."""

__all__: list[str] = []
