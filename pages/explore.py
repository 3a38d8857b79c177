"""Explore: many runs over what varies, where which device pays, and what each choice brings."""

from cnnlab.ui import top
from cnnlab.ui.explore import kind

top.require_app()

kind.show()
