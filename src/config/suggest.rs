//! "Did you mean": the nearest of the known words.

/// The known word nearest to what was written, when it is near enough to be meant.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: String = written.chars().take(64).flat_map(char::to_lowercase).collect();
    let length = written.chars().count();
    let allowed = (length / 3).clamp(1, 3);
    known
        .into_iter()
        // Most are too long or too short, which is cheap to see.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (strsim::osa_distance(&written, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The remedy with that word in it.
pub(crate) fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(written, known).map(|candidate| format!("did you mean \"{candidate}\"?"))
}

/// `"a", "b" or "c"`
pub(crate) fn one_of(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|candidate| format!("\"{candidate}\"")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["channel", "bot_token", "to", "host"];
        assert_eq!(nearest("chanel", known), Some("channel"));
        assert_eq!(nearest("bot-token", known), Some("bot_token"));
        assert_eq!(nearest("hsot", known), Some("host"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(one_of(&["a", "b", "c"]), "\"a\", \"b\" or \"c\"");
    }
}
