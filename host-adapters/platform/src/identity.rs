//! `registration:platform/identity`.

use crate::grants::Need;
use crate::{PlatformService, Result};
use platform_wire::identity::{Claims, Verify};
use platform_wire::{Error, ErrorKind};

pub(crate) async fn verify(platform: &PlatformService, caller: &str, args: Verify) -> Result<Claims> {
    platform.check(caller, Need::Identity)?;
    let missing = || Error::new(ErrorKind::NotFound, "no identity is configured: name its issuer, audience and JWKS");
    platform.identity.as_ref().ok_or_else(missing)?.verify(&args.token).await
}
