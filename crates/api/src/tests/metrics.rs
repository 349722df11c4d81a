//! `GET /metrics`, and the documents that name metrics against what it says.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::{callers::with_key_of, *};

type Labels = BTreeMap<String, String>;

/// What one scrape holds.
#[derive(Debug, Default)]
struct Scrape {
    /// Type and unit by the name of the family.
    families: BTreeMap<String, (String, String)>,
    /// Labels and value of each sample by its name.
    samples: BTreeMap<String, Vec<(Labels, f64)>>,
}

impl Scrape {
    fn parse(text: &str) -> Self {
        let mut scrape = Self::default();
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["#", "TYPE", name, kind] => {
                    let known = scrape.families.insert(name.to_owned(), (kind.to_owned(), String::new()));
                    assert_eq!(known, None, "{name} is there twice");
                }
                ["#", "UNIT", name, unit] => scrape.families.get_mut(name).unwrap().1 = unit.to_owned(),
                ["#", ..] => {}
                _ => {
                    let (series, value) = line.rsplit_once(' ').unwrap();
                    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                    let labels = labels.strip_suffix('}').unwrap().split_terminator("\",");
                    let labels = labels.filter_map(|label| label.split_once("=\""));
                    let labels = labels.map(|(key, value)| (key.into(), value.trim_end_matches('"').into()));
                    let sample = (labels.collect(), value.parse().unwrap());
                    scrape.samples.entry(name.to_owned()).or_default().push(sample);
                }
            }
        }
        scrape
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits =
            |has: &Labels| labels.iter().all(|(key, value)| has.get(*key).is_some_and(|own| own == value));
        let mut samples = self.samples[name].iter().filter(|(has, _)| fits(has)).map(|(_, value)| value);
        let value = *samples.next().unwrap_or_else(|| panic!("no {name} with {labels:?}"));
        assert_eq!(samples.next(), None, "more than one {name} with {labels:?}");
        value
    }

    /// Labels of a family by its name, that of the buckets excepted.
    fn labels(&self, family: &str) -> BTreeSet<&str> {
        let of_family = |name: &str| {
            let suffix = name.strip_prefix(family);
            suffix
                .is_some_and(|suffix| ["", "_total", "_info", "_bucket", "_sum", "_count"].contains(&suffix))
        };
        let samples =
            self.samples.iter().filter(|(name, _)| of_family(name)).flat_map(|(_, samples)| samples);
        samples.flat_map(|(labels, _)| labels.keys()).map(String::as_str).filter(|key| *key != "le").collect()
    }
}

impl Service {
    async fn scrape(&self) -> Scrape {
        let response = self.send(Request::get("/metrics").body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(header(&response, "content-type"), media_type);
        Scrape::parse(std::str::from_utf8(&bytes_of(response).await).unwrap())
    }
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    with_service(async |service| {
        let before = service.scrape().await;
        service.execute(json!({ "code": "a = 1" })).await;
        service.execute(json!({ "code": "1/0" })).await;
        service.execute(json!({ "code": 1 })).await;
        service.post("/upload_data/secret-key", "text/plain", "12345").await;
        let leaves = async {
            let runs = [("phase", "run")];
            while service.scrape().await.value("code_sandbox_executions_in_phase", &runs) < 1.0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            answer = service.execute(json!({ "code": "import time; time.sleep(15)" })) => panic!("{answer:?}"),
            () = leaves => {}
        }
        let after = service.scrape().await;

        let grown =
            |name: &str, labels: &[(&str, &str)]| after.value(name, labels) - before.value(name, labels);
        let executions = "code_sandbox_executions_total";
        let by_status = ["ok", "error", "timeout", "crashed"].map(|s| grown(executions, &[("status", s)]));
        assert_eq!(by_status, [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(grown("code_sandbox_executions_abandoned_total", &[]), 1.0);
        for (phase, passed) in [("queue", 3.0), ("lease", 3.0), ("send", 3.0), ("run", 2.0), ("collect", 2.0)]
        {
            let count = grown("code_sandbox_phase_duration_seconds_count", &[("phase", phase)]);
            assert_eq!(count, passed, "{phase}");
            assert_eq!(after.value("code_sandbox_executions_in_phase", &[("phase", phase)]), 0.0, "{phase}");
        }
        assert_eq!(grown("code_sandbox_pool_leases_total", &[("supply", "started")]), 3.0);
        assert_eq!(grown("code_sandbox_docker_call_duration_seconds_count", &[("call", "launch")]), 3.0);
        assert_eq!(after.value("code_sandbox_store_values", &[]), 1.0);
        assert_eq!(after.value("code_sandbox_store_bytes", &[]), 5.0 + 1024.0);
        assert_eq!(after.value("code_sandbox_request_body_bytes", &[]), 0.0);
        let executed = |status| {
            let labels = [("route", "/execute_code"), ("method", "POST"), ("status", status)];
            after.value("code_sandbox_http_requests_total", &labels)
        };
        assert_eq!((executed("2xx"), executed("4xx")), (2.0, 1.0));
        assert!(!format!("{after:?}").contains("secret-key"));
    })
    .await;
}

#[tokio::test]
async fn whatever_methods_and_paths_are_asked_for_the_series_are_those_of_the_operations() {
    with_key_of("a", "metrics=yes", async |service, key| {
        let document = json_of(service.send_as(key, "GET", "/openapi.json", "").await).await.1;
        let mut operations = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let asked = path.replace("{key}", "k").replace("{id}", "01a205da-7c39-70a3-bb02-3bd838671e62");
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
                let bare = Request::builder().method(method).uri(&asked).body(Body::empty()).unwrap();
                service.send(bare).await;
                service.send_as(key, method, &asked, "").await;
            }
            let methods = methods.as_object().unwrap().keys().map(|method| method.to_uppercase());
            operations.extend(methods.map(|method| (path.clone(), method)));
        }
        let text = bytes_of(service.send_as(key, "GET", "/metrics", "").await).await;
        let scrape = Scrape::parse(std::str::from_utf8(&text).unwrap());
        // The document's own, which is no operation.
        operations.insert(("/openapi.json".to_owned(), "GET".to_owned()));
        let families = ["request_duration_seconds_count", "requests_total"];
        for (labels, _) in
            families.iter().flat_map(|name| &scrape.samples[&format!("code_sandbox_http_{name}")])
        {
            let route = labels["route"].replace("{*", "{");
            // Who may read may look; what was turned away is told without its method.
            let known = match labels["method"].as_str() {
                "other" => labels.get("status").is_some_and(|status| status == "4xx"),
                "HEAD" => operations.contains(&(route, "GET".to_owned())),
                method => operations.contains(&(route, method.to_owned())),
            };
            assert!(known, "{labels:?}");
        }
        let series: usize = scrape.samples.values().map(Vec::len).sum();
        assert!(series < 1_500, "{series}");
    })
    .await;
}

#[tokio::test]
async fn metrics_are_there_while_the_service_drains() {
    with_service(async |service| {
        service.engine.drain(Duration::ZERO, &CancellationToken::new()).await;
        service.execute(json!({ "code": "" })).await;
        let scrape = service.scrape().await;
        let refused = [("reason", "draining")];
        assert_eq!(scrape.value("code_sandbox_executions_refused_total", &refused), 1.0);
        assert_eq!(scrape.value("code_sandbox_containers", &[]), 0.0);
    })
    .await;
}

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_metric_is_there() {
    with_service(async |service| {
        // A metric has a label once something has happened.
        service.get("/health").await;
        let scrape = service.scrape().await;
        let document = include_str!("../../../../docs/operations/metrics.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let documented: BTreeMap<&str, Vec<&str>> =
            rows.map(|(name, row)| (name, row.split(" | ").collect())).collect();
        let mut there = BTreeMap::new();
        for (family, (kind, unit)) in &scrape.families {
            let suffix = match kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            there.insert(format!("{family}{suffix}"), (family, kind, unit));
        }
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let names = there.keys().map(String::as_str);
        assert_eq!(names.collect::<Vec<_>>(), documented.keys().copied().collect::<Vec<_>>());
        for (name, (family, kind, unit)) in there {
            let row = &documented[name.as_str()];
            assert_eq!((row[0], row[1]), (kind.as_str(), or_dash(unit).as_str()), "{name}");
            // `phase`: `queue`, `lease` …
            let labels = row[2].split_once(':').map_or(row[2], |(labels, _)| labels);
            let labels =
                labels.split(", ").map(|label| label.trim_matches('`')).filter(|label| *label != "-");
            assert_eq!(labels.collect::<BTreeSet<_>>(), scrape.labels(family), "{name}");
        }
    })
    .await;
}
