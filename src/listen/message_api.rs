//! Messages of other programs, by `POST /v1/webhook`: [`message`] parses one, [`submit`] hands it to the spool.

pub(crate) mod message;
pub(super) mod submit;
