"""Events to files: NDJSON, CSV and Parquet, a batch at a time, for commands and for the console. No screen in it.

batches = stored_events(repository, chosen)
with new_file(path) as file:
    written = await export(batches, writer_of(Format.CSV, file), progress)
"""
