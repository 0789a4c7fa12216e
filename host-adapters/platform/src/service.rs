//! `registration:platform/service`.

use crate::grants::Need;
use crate::names::unknown;
use crate::{PlatformService, Result};
use host_adapters_records::Caller;
use host_adapters_records::service::{CallService, ServiceRequest, ServiceResponse};

/// Services, as the platform interface `service` needs them.
#[async_trait::async_trait]
pub trait ServiceBackend: Send + Sync + 'static {
    /// Calls a service by its name; a response may have any status.
    /// [`Unavailable`](host_adapters_records::ErrorKind::Unavailable) says that the service as a whole is down.
    async fn call(&self, caller: Caller<'_>, service: &str, request: ServiceRequest) -> Result<ServiceResponse>;
}

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
