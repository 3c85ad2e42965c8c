//! The site's database of values, as a Graphite answers: each value went from well to what it is now in the last hours.
//! <https://graphite.readthedocs.io/en/latest/render_api.html#json>

use super::fake_core::{Core, Object};
use crate::wire::form_fields;
use serde_json::{Value, json};

/// The configuration's target.
pub(super) const TARGET: &str = "demo.{host}.{service}.{label}";
/// How long ago it began.
const BEGAN_SECONDS: i64 = 3 * 3600;
const STEP_SECONDS: i64 = 60;
/// No more is given.
const POINTS_MAX: i64 = 1440;

/// The series of the target in the query.
pub(super) fn rendered(core: &Core, query: &str, now: i64) -> Value {
    let fields = form_fields(query);
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    let time = |name: &str| field(name)?.parse::<i64>().ok();
    let (Some(target), Some(from)) = (field("target"), time("from")) else { return json!([]) };
    let until = time("until").unwrap_or(now).min(now);
    let Some((fine, last)) = core.objects.iter().find_map(|object| values(object, &target)) else { return json!([]) };
    let first = from.max(until.saturating_sub(POINTS_MAX * STEP_SECONDS));
    let points: Vec<Value> = (0..=(until - first) / STEP_SECONDS)
        .map(|step| first + step * STEP_SECONDS)
        .map(|at| json!([at_time((fine, last), now - at), at]))
        .collect();
    json!([{ "target": target, "datapoints": points }])
}

/// So much is measured so long ago.
#[expect(clippy::cast_precision_loss, reason = "seconds of hours")]
fn at_time((fine, last): (f64, f64), ago: i64) -> f64 {
    let part = (1.0 - ago as f64 / BEGAN_SECONDS as f64).clamp(0.0, 1.0);
    fine + (last - fine) * part
}

/// The value of an object that a target names, when all is well and now.
fn values(object: &Object, target: &str) -> Option<(f64, f64)> {
    let service = object.service.as_deref().unwrap_or("hostcheck");
    let label = target.strip_prefix(&format!("demo.{}.{}.", named(&object.host), named(service)))?;
    let of = |perfdata: &str| {
        let (_, rest) =
            perfdata.split(' ').filter_map(|one| one.split_once('=')).find(|(known, _)| named(known) == label)?;
        let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        number.parse().ok()
    };
    Some((of(object.fine.perfdata)?, of(object.now.perfdata)?))
}

/// As part of a target.
fn named(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}
