"""The data sets that a run can learn from, and what their pictures look like."""

import streamlit as st

from cnnlab import datasets
from cnnlab.spec import LabError
from cnnlab.ui import data_view

st.title("Data", anchor=False)
st.write("What a network can learn from here. Click a data set to see its pictures.")
try:
    known = datasets.known()
except LabError as error:
    st.error(str(error))
    st.stop()

chosen = data_view.choose(known)
data_view.facts(chosen)
data_view.train_on(chosen)
data_view.gallery(chosen)
data_view.own_data()
