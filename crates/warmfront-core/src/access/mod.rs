//! Who may see what: countries, signed URLs and cookies.

pub mod geo;
pub mod place;
pub mod signed;
