"""What is kept and how it is read: the Parquet store, frames, pure analysis, tables, figures and the report."""
