//! Keeps web pages out. A browser on the machine that runs this can reach 127.0.0.1, and so could any page it shows:
//! `<img src="http://127.0.0.1:8000/clear_data">` is a request no page needs permission for.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::error::ApiError;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what a browser says comes from a page of another origin. Other clients send neither header.
pub(crate) async fn only(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        ApiError::ForeignOrigin.into_response()
    } else {
        next.run(request).await
    }
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let header = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let foreign_site = header(&FETCH_SITE).is_some_and(|site| site != b"same-origin" && site != b"none");
    let foreign_origin = header(&header::ORIGIN).is_some_and(|origin| {
        let host = header(&header::HOST).unwrap_or_default();
        !["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme.as_bytes()) == Some(host))
    });
    foreign_site || foreign_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_another_origin_are_foreign() {
        let foreign = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_foreign(&headers.collect())
        };
        let host = ("host", "127.0.0.1:8000");
        assert!(!foreign(&[host]));
        assert!(!foreign(&[host, ("sec-fetch-site", "none")]));
        assert!(!foreign(&[host, ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8000")]));
        assert!(foreign(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[host, ("sec-fetch-site", "same-site")]));
        assert!(foreign(&[host, ("origin", "http://127.0.0.1:3000")]));
        assert!(foreign(&[host, ("origin", "null")]));
        assert!(foreign(&[("origin", "http://evil.example")]));
    }
}
