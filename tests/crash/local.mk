# Programs that are killed and must recover.
