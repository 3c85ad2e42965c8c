//! The values of the last hours, from whatever the site has: RRDs, Graphite, Prometheus; or a picture of them: Grafana.
//!
//! Each look-up is bounded in time and bytes, and says in words why it has nothing. Names of objects reach a source as part
//! of a path or an expression only after its own rules for quoting.

pub(crate) mod grafana;
mod http;
mod pnp;
mod rrd;

use crate::config::CurveSources;
use crate::model::curve::Series;
use crate::system::environment::Environment;
use crate::system::fetch::FetchError;
use std::time::Duration;

/// For one source.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// How much of an answer is read: a day by the minute has 1,440 values of 30 bytes.
const ANSWER_BYTES_MAX: u64 = 1_000_000;

/// The value that is asked for. Times are Unix seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) host: &'a str,
    /// `None`: of the host itself.
    pub(crate) service: Option<&'a str>,
    pub(crate) label: &'a str,
    /// Its number among the plugin's measurements, from 1 on.
    pub(crate) position: usize,
    pub(crate) is_counter: bool,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// What a source has, or why it has nothing.
#[derive(Debug)]
pub(crate) struct Found {
    /// `rrd`, `graphite`, `prometheus`
    pub(crate) source: &'static str,
    pub(crate) series: Result<Series, SourceError>,
}

/// Why a source has nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It knows no such value, or several.
    #[error("{0}")]
    NotOne(String),
    #[error("{0}")]
    Other(String),
}

impl SourceError {
    /// Whether it didn't answer in time.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self, Self::Fetch(FetchError::Slow(_)))
    }
}

impl From<String> for SourceError {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl From<&str> for SourceError {
    fn from(reason: &str) -> Self {
        Self::Other(reason.to_owned())
    }
}

/// Asks the source of that number; `None`: there are no more.
pub(crate) fn ask(sources: &CurveSources, number: usize, wanted: &Wanted<'_>, env: &Environment) -> Option<Found> {
    let rrd = sources.rrd.as_ref().map(|rrd| ("rrd", Source::Rrd(rrd)));
    let graphite = sources.graphite.as_ref().map(|http| ("graphite", Source::Graphite(http)));
    let prometheus = sources.prometheus.as_ref().map(|http| ("prometheus", Source::Prometheus(http)));
    let (source, which) = [rrd, graphite, prometheus].into_iter().flatten().nth(number)?;
    let series = match which {
        // It reckons a counter's pace by itself.
        Source::Rrd(rrd) => rrd::values(rrd, wanted),
        Source::Graphite(http) => http::graphite(http, wanted, env).map(|series| paced(series, wanted)),
        Source::Prometheus(http) => http::prometheus(http, wanted, env).map(|series| paced(series, wanted)),
    };
    let series = series.and_then(|series| {
        if series.0.is_empty() {
            Err(format!("it has no values of \"{}\" in that time", wanted.label).into())
        } else {
            Ok(series)
        }
    });
    Some(Found { source, series })
}

enum Source<'a> {
    Rrd(&'a crate::config::RrdSource),
    Graphite(&'a crate::config::HttpSource),
    Prometheus(&'a crate::config::HttpSource),
}

fn paced(series: Series, wanted: &Wanted<'_>) -> Series {
    if wanted.is_counter { series.into_rates() } else { series }
}
