//! The Socket Mode connections of a listener.

use crate::config::Integration;
use crate::slack::socket::SocketMode;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// By integration, each with the configuration that it was started with. Shared by the listeners and the metrics.
pub(super) type Sockets = Arc<Mutex<BTreeMap<String, (Integration, SocketMode)>>>;
