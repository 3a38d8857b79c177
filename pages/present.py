"""Present: the run or the race that is live, else the latest, for a room."""

from cnnlab.ui import top
from cnnlab.ui.room import stage

top.require_app()

stage.show()
