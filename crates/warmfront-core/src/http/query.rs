//! Query strings as CloudFront takes them apart: at `&` only, raw, in their order, never decoded.

use crate::policy::Selection;

/// The parameters of a query, as written; empty ones (`a=1&&b=2`) are none.
pub fn parameters(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|parameter| !parameter.is_empty())
}

/// The name of a parameter: what stands before the first `=`.
pub fn name(parameter: &str) -> &str {
    parameter.split_once('=').map_or(parameter, |(name, _)| name)
}

/// The parameters of `query` that `selection` means.
pub fn selected<'a>(query: &'a str, selection: &'a Selection) -> impl Iterator<Item = &'a str> {
    parameters(query).filter(|parameter| selection.contains(name(parameter)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(query: &str, selection: &Selection, expected: &[&str]) {
        assert_eq!(selected(query, selection).collect::<Vec<_>>(), expected, "{query}");
    }

    fn only(names: &[&str]) -> Selection {
        Selection::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn parameters_keep_their_order_and_their_spelling() {
        check("b=2&a=1&b=3", &Selection::All, &["b=2", "a=1", "b=3"]);
        check("a=%31&A=1&a=1;b=2", &Selection::All, &["a=%31", "A=1", "a=1;b=2"]);
        check("&&a&&b=&=c&", &Selection::All, &["a", "b=", "=c"]);
        check("", &Selection::All, &[]);
    }

    #[test]
    fn names_are_compared_as_they_are() {
        check("a=1&A=2&b=3&a=4", &only(&["a"]), &["a=1", "a=4"]);
        check("a=1&A=2&b=3&a", &Selection::AllExcept(vec!["a".to_owned()]), &["A=2", "b=3"]);
        check("%61=1&a%3D=2", &only(&["a"]), &[]);
        check("ab=1&*=2", &only(&["*"]), &["*=2"]);
        check("a=1", &Selection::None, &[]);
    }

    proptest! {
        #[test]
        fn what_is_kept_and_what_is_not_together_are_all(query in "[ab=&;%]{0,30}") {
            let except = Selection::AllExcept(vec!["a".to_owned()]);
            let kept = selected(&query, &only(&["a"])).count() + selected(&query, &except).count();
            prop_assert_eq!(kept, parameters(&query).count());
        }
    }
}
