# Fuzz targets: one source each, linked with libFuzzer or with the corpus replayer.
