"""The data sets that a run can learn from, what they look like, and those that people bring."""

from cnnlab import datasets
from cnnlab.ui import top
from cnnlab.ui.data import bringing, upload
from cnnlab.ui.data import view as data_view

top.require_app()

chosen = data_view.choose(datasets.known())
if upload.pending():
    upload.review()
else:
    data_view.facts(chosen)
    bringing.show()
    data_view.gallery(chosen)
