"""What there is to train on, how fast it is, and the three ways to keep a run off the GPU."""

import streamlit as st

from cnnlab.ui import top
from cnnlab.ui.hardware import calibration as calibration_view
from cnnlab.ui.hardware import cluster as cluster_view
from cnnlab.ui.hardware import machine as hardware_view

top.require_app()

hardware_view.machine()
cluster_view.show()
st.subheader("Calibration", anchor=False)
calibration_view.show()
st.subheader("Three ways to switch a GPU off", anchor=False)
st.write("A run can use each of them, by the form's Device, and records what it really ran on.")
hardware_view.off_switches()
