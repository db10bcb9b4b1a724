//! The pages that CloudFront itself answers with.
