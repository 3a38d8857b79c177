"""The data sets that a run can learn from, what they look like, and those that people bring."""

import streamlit as st

from cnnlab import datasets
from cnnlab.ui import top
from cnnlab.ui.data import bringing, upload
from cnnlab.ui.data import view as data_view

top.require_app()

st.write("What a network can learn from here. Choose a data set to see what is in it.")
chosen = data_view.choose(datasets.known())
if upload.pending():
    upload.review()
else:
    data_view.facts(chosen)
    data_view.train_on(chosen)
    bringing.show()
    data_view.gallery(chosen)
