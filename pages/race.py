"""Race: two to four lanes that take turns on this machine, and who is faster."""

from cnnlab.ui import top
from cnnlab.ui.race import entrants, offer, view

top.require_app()

if entrants.named():
    view.show()
else:
    offer.offer()
