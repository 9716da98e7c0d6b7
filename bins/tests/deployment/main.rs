//! What is under `deploy/` against the programs it runs: settings they take, addresses and routes they have,
//! files that exist, the time a stop takes, and no more rights than are needed.

mod compose;
mod dockerfile;
mod files;
mod kubernetes;
mod program;
mod routes;
mod systemd;
