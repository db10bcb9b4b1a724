//! `CorsConfiguration` of HTTP APIs and `Cors` of function URLs: the same words.

use warmfront_core::api::cors::Cors;

use crate::compile::Compiler;
use crate::template::Resource;

impl Compiler<'_> {
    /// The CORS settings of an API; `None` when there are none.
    pub(super) fn api_cors(&self, resource: &Resource, property: &str) -> Option<Cors> {
        let path = resource.property_path(property);
        let written = self.evaluator.evaluate(resource.property(property)?, &path);
        written.as_map()?;
        for entry in written.as_map().unwrap_or_default() {
            if !KNOWN.contains(&entry.key.as_str()) {
                let message = format!(
                    "CORS settings have no property \"{}\".{}",
                    entry.key,
                    crate::suggest::did_you_mean(&entry.key, KNOWN)
                );
                self.error(&entry.place, format!("{path}.{}", entry.key), message);
            }
        }
        let lower = |names: Vec<String>| names.iter().map(|it| it.to_ascii_lowercase()).collect();
        Some(Cors {
            allow_credentials: written.bool_at("AllowCredentials").unwrap_or(false),
            allow_headers: lower(written.texts_at("AllowHeaders")),
            allow_methods: written.texts_at("AllowMethods"),
            allow_origins: written.texts_at("AllowOrigins"),
            expose_headers: lower(written.texts_at("ExposeHeaders")),
            max_age: written.number_at("MaxAge"),
        })
    }
}

const KNOWN: [&str; 6] =
    ["AllowCredentials", "AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders", "MaxAge"];
