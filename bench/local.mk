# The load harness sees public headers only.
