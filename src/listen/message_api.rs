//! Messages of other programs, as `POST /v1/messages` and `POST /v1/webhook` take them: [`message`] reads one, [`submit`]
//! hands it to the spool.

pub(crate) mod message;
pub(super) mod submit;
