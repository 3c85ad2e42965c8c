//! Sorting by a key, and maps, with one sort for all types; a plain `sort()` of numbers or texts is fine.
//!
//! Each type that `sort_by_key` or `collect` into a map sorts brings 4.5 kB of machine code with it, and there were fifty of
//! them. What is sorted here is short, or sorted once.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// As `sort_by`: equal ones keep their order.
pub(crate) fn by<T>(list: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let mut order: Vec<usize> = (0..list.len()).collect();
    sort(&mut order, &|one, other| compare(&list[one], &list[other]));
    let mut taken: Vec<Option<T>> = list.drain(..).map(Some).collect();
    list.extend(order.into_iter().filter_map(|index| taken[index].take()));
}

/// As `sort_by_key`: equal ones keep their order.
pub(crate) fn by_key<T, K: Ord>(list: &mut Vec<T>, key: impl Fn(&T) -> K) {
    by(list, |one, other| key(one).cmp(&key(other)));
}

/// As `collect`: of two with one key the later counts.
pub(crate) fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    pairs.into_iter().for_each(|(key, value)| _ = map.insert(key, value));
    map
}

/// As `collect`.
pub(crate) fn set<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    values.into_iter().for_each(|value| _ = set.insert(value));
    set
}

/// The one that all share.
#[inline(never)]
fn sort(order: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    order.sort_by(|one, other| compare(*one, *other));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_sorts_as_std_does(list: Vec<(u8, String)>) {
            let (mut ours, mut theirs) = (list.clone(), list.clone());
            by_key(&mut ours, |(number, _)| *number % 8);
            theirs.sort_by_key(|(number, _)| *number % 8);
            prop_assert_eq!(ours, theirs);
            prop_assert_eq!(map(list.clone()), list.iter().cloned().collect::<BTreeMap<_, _>>());
            prop_assert_eq!(set(list.clone()), list.into_iter().collect::<BTreeSet<_>>());
        }
    }
}
