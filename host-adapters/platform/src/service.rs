//! `registration:platform/service`.

use crate::grants::Need;
use crate::names::unknown;
use crate::{PlatformService, Result};
use host_adapters_records::Caller;
use host_adapters_records::service::{CallService, ServiceResponse};

pub(crate) async fn service_call(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: CallService,
) -> Result<ServiceResponse> {
    platform.check(caller, Need::CallService(&args.service))?;
    let services = platform.services.as_ref();
    let services = services.ok_or_else(|| unknown("service", &args.service, std::iter::empty()))?;
    services.call(caller, &args.service, args.request).await
}
