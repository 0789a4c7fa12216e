//! `registration:platform/identity`.

use crate::grants::Need;
use crate::{PlatformService, Result};
use host_adapters_records::identity::{Claims, Verify};
use host_adapters_records::{Caller, Error, ErrorKind};

/// Whose tokens are accepted, as the platform interface `identity` needs it.
#[async_trait::async_trait]
pub trait IdentityBackend: Send + Sync + 'static {
    /// What a verified token says; [`host_adapters_records::ErrorKind::Denied`] says why it is not accepted.
    async fn verify(&self, token: &str) -> Result<Claims>;
}

pub(crate) async fn identity_verify(platform: &PlatformService, caller: Caller<'_>, args: Verify) -> Result<Claims> {
    platform.check(caller, Need::Identity)?;
    let missing = || Error::new(ErrorKind::NotFound, "no identity is configured: name its issuer, audience and JWKS");
    platform.identity.as_ref().ok_or_else(missing)?.verify(&args.token).await
}
