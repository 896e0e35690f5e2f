"""Where the configuration comes from, what it says, and which files of working folders are trusted."""

from interlock_runtime._environment import config_of
from interlock_runtime._load import LOCAL_NAME, Source, load, locate
from interlock_runtime._shown import settings_json
from interlock_runtime._trust import trust

__all__ = ["LOCAL_NAME", "Source", "config_of", "load", "locate", "settings_json", "trust"]
