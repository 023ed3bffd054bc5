//! The life of a data share, in a sealed stream.
