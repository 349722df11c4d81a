//! The host that a request names: the HTTP library takes any number of them, and any text. Two that disagree are read differently by
//! a proxy before us.

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Refuses what names no host, or several, or none that is one (RFC 9112, section 3.2), as the library does with what is no HTTP.
pub(crate) async fn must_be_one(request: Request, next: Next) -> Response {
    if is_one(request.version(), request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::BAD_REQUEST, [(header::CONNECTION, "close")]).into_response()
    }
}

fn is_one(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, None) => version < Version::HTTP_11,
        // Empty is what is sent where the target has no host.
        (Some(host), None) => {
            host.is_empty()
                || Authority::try_from(host.as_bytes()).is_ok_and(|host| !host.as_str().contains('@'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn one_host_is_named_unless_the_protocol_is_older_than_that() {
        let named = |version, hosts: &[&'static str]| {
            let hosts = hosts.iter().map(|host| (header::HOST, HeaderValue::from_static(host)));
            // In this order, whatever of them is the same.
            let mut headers = HeaderMap::new();
            hosts.for_each(|(name, host)| {
                headers.append(name, host);
            });
            is_one(version, &headers)
        };
        for host in ["localhost", "code_sandbox:8000", "127.0.0.1:8000", "[::1]:8000", "a.example", ""] {
            assert!(named(Version::HTTP_11, &[host]), "{host}");
        }
        for host in ["a b", "a/b", "u@a", "a:8000/x", "a,b c"] {
            assert!(!named(Version::HTTP_11, &[host]), "{host}");
        }
        assert!(!named(Version::HTTP_11, &[]) && named(Version::HTTP_10, &[]));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert!(!named(version, &["a", "a"]));
        }
    }
}
