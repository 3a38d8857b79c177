"""CNN Lab: train small Keras models, watch them learn, and compare CPU with GPU honestly."""
