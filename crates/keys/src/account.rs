//! What a key opens.

use std::sync::Arc;

use engine::Tenant;

use crate::{
    limits::Limits,
    rate::{Meter, RateExceeded},
};

/// A tenant, what it may ask for, and what it has used up of that. All its keys open the same one.
#[derive(Debug)]
pub struct Account {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its own limits.
    pub limits: Limits,
    meter: Option<Arc<Meter>>,
}

impl Account {
    /// Everybody's, where there are no keys.
    pub fn everyone() -> Self {
        Self {
            tenant: Tenant::everyone(),
            limits: Limits { metrics: true, ..Limits::default() },
            meter: None,
        }
    }

    /// The account as a new version of the keys file has it: a rate that is still the same goes on where it was, so that
    /// nobody gains from a change of the file.
    pub(crate) fn new(tenant: Tenant, limits: Limits, earlier: Option<&Self>) -> Self {
        let meter = limits.rate.map(|rate| {
            let going_on =
                earlier.and_then(|earlier| earlier.meter.clone()).filter(|meter| meter.rate == rate);
            going_on.unwrap_or_else(|| Arc::new(Meter::new(rate)))
        });
        Self { tenant, limits, meter }
    }

    /// Counts one request to execute, unless the tenant has used up its rate.
    pub fn count_execution(&self) -> Result<(), RateExceeded> {
        self.meter.as_ref().map_or(Ok(()), |meter| meter.take())
    }
}
