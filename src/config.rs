//! Settings: command line over environment over file. The only reader of the environment.
