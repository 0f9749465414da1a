//! Configuration that is read once and not in every step.

use crate::context::Context;
use crate::json::Json;
use std::sync::{Arc, Mutex};

/// What a function makes of the tenant's configuration, made once for each
/// configuration instead of in every step. Keep it in a static:
///
/// ```
/// use railhead::{Json, PerConfig};
///
/// struct Settings { institution: String }
///
/// static SETTINGS: PerConfig<Settings> = PerConfig::new(|config, tenant| {
///     let named = config.get("institution").text();
///     Settings { institution: if named.is_empty() { tenant.to_string() } else { named.into_owned() } }
/// });
/// ```
pub struct PerConfig<T: 'static> {
    read: fn(Json<'_>, &str) -> T,
    last: Mutex<Option<Reading<T>>>, // natively, steps may run side by side
}

struct Reading<T> {
    config: Vec<u8>,
    tenant: String,
    value: Arc<T>,
}

impl<T> PerConfig<T> {
    /// `read` is given the configuration, missing if there is none, and the
    /// tenant's id.
    pub const fn new(read: fn(Json<'_>, &str) -> T) -> PerConfig<T> {
        PerConfig { read, last: Mutex::new(None) }
    }

    /// What `read` made of this tenant's configuration.
    pub fn get(&self, ctx: Context<'_>) -> Arc<T> {
        let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*last {
            Some(r) if r.config == ctx.config_bytes() && r.tenant == ctx.tenant() => r.value.clone(),
            _ => {
                let value = Arc::new((self.read)(ctx.config().unwrap_or_default(), ctx.tenant()));
                *last = Some(Reading {
                    config: ctx.config_bytes().to_vec(),
                    tenant: ctx.tenant().to_string(),
                    value: value.clone(),
                });
                value
            }
        }
    }
}
