"""`python -m interlock_api`: a gateway from the environment alone, for a process supervisor."""

from interlock_api._serve import main

main()
