//! The founding ceremony, command by command.
