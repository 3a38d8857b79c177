"""The Hardware page: what there is to train on, and its calibration."""
