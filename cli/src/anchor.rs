//! Ingest: real documents in, statements out.
