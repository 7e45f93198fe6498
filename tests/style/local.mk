# Checks of the source text.
