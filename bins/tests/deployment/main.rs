//! What is under `deploy/` and `.github/` against the programs it runs: settings they take, addresses and routes they have,
//! files that exist, the time a stop takes, and no more rights than are needed. `scripts/check-deploy.sh` holds the same
//! files to the schemas and the tools of those who read them. Beside them: what the Makefile and the scripts build, and what
//! a release says.

mod compose;
mod dockerfile;
mod files;
mod kubernetes;
mod locked;
mod program;
mod release;
mod routes;
mod systemd;
mod workflows;
