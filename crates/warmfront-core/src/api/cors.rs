//! CORS as HTTP APIs and function URLs do it: the preflight is answered by the API itself, and
//! the settings replace what the function says (API Gateway guide: configuring CORS for HTTP APIs).

/// `CorsConfiguration` of an HTTP API, `Cors` of a function URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// `AllowCredentials`.
    pub allow_credentials: bool,
    /// `AllowHeaders`; `*` is any.
    pub allow_headers: Vec<String>,
    /// `AllowMethods`; `*` is any.
    pub allow_methods: Vec<String>,
    /// `AllowOrigins`; `*` is any, `https://*` any of a scheme.
    pub allow_origins: Vec<String>,
    /// `ExposeHeaders`.
    pub expose_headers: Vec<String>,
    /// `MaxAge`, in seconds.
    pub max_age: Option<u32>,
}

impl Cors {
    /// What an answer to a page of `origin` carries; nothing where the origin is not allowed.
    pub fn headers(&self, origin: &str) -> Vec<(&'static str, String)> {
        let Some(allowed) = self.allowed(origin) else { return Vec::new() };
        let mut headers = vec![("access-control-allow-origin", allowed.to_owned())];
        if self.allow_credentials {
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        if !self.expose_headers.is_empty() {
            headers.push(("access-control-expose-headers", self.expose_headers.join(",")));
        }
        headers
    }

    /// What the answer to a preflight of `origin` carries.
    pub fn preflight(&self, origin: &str) -> Vec<(&'static str, String)> {
        let mut headers = self.headers(origin);
        if headers.is_empty() {
            return headers;
        }
        let mut add = |name, values: &[String]| {
            if !values.is_empty() {
                headers.push((name, values.join(",")));
            }
        };
        add("access-control-allow-methods", &self.allow_methods);
        add("access-control-allow-headers", &self.allow_headers);
        if let Some(seconds) = self.max_age {
            headers.push(("access-control-max-age", seconds.to_string()));
        }
        headers
    }

    /// `*` is said as it is written unless credentials are allowed, which no browser takes with `*`.
    fn allowed<'a>(&self, origin: &'a str) -> Option<&'a str> {
        let fits = |rule: &String| match rule.strip_suffix('*') {
            Some(start) => origin.starts_with(start),
            None => rule.eq_ignore_ascii_case(origin),
        };
        let rule = self.allow_origins.iter().find(|rule| fits(rule))?;
        Some(if rule == "*" && !self.allow_credentials { "*" } else { origin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origins: &[&str], credentials: bool, origin: &str, expected: Option<&str>) {
        let cors = Cors {
            allow_credentials: credentials,
            allow_origins: origins.iter().map(|it| (*it).to_owned()).collect(),
            ..Cors::default()
        };
        let headers = cors.headers(origin);
        assert_eq!(headers.first().map(|it| it.1.as_str()), expected, "{origins:?} {origin}");
    }

    #[test]
    fn an_origin_is_allowed_by_name_by_scheme_or_like_any_other() {
        check(&["https://a.example"], false, "https://a.example", Some("https://a.example"));
        check(&["https://a.example"], false, "https://b.example", None);
        check(&["*"], false, "https://b.example", Some("*"));
        check(&["*"], true, "https://b.example", Some("https://b.example"));
        check(&["https://*"], false, "https://b.example", Some("https://b.example"));
        check(&["https://*"], false, "http://b.example", None);
        check(&[], false, "https://b.example", None);
    }

    #[test]
    fn a_preflight_says_what_is_allowed() {
        let list = |items: &[&str]| items.iter().map(|it| (*it).to_owned()).collect();
        let cors = Cors {
            allow_headers: list(&["x-a", "x-b"]),
            allow_methods: list(&["GET"]),
            allow_origins: list(&["*"]),
            expose_headers: list(&["x-c"]),
            max_age: Some(60),
            ..Cors::default()
        };
        let expected = [
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "x-c"),
            ("access-control-allow-methods", "GET"),
            ("access-control-allow-headers", "x-a,x-b"),
            ("access-control-max-age", "60"),
        ];
        let got = cors.preflight("https://a.example");
        assert_eq!(got.iter().map(|it| (it.0, &*it.1)).collect::<Vec<_>>(), expected);
    }
}
