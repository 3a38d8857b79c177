"""The commands that are more than a few lines, and what all commands share."""

import os
import tempfile

from cnnlab.spec import USER_HOME

if USER_HOME is None:  # libraries ask for one when they are imported, and find none
    os.environ["HOME"] = tempfile.gettempdir()
