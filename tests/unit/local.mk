# A module declares its unit tests in its own engine/<module>/local.mk.
