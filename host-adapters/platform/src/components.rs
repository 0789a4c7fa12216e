//! Functions for clients of the gateway only: read and swap components, start tasks. Only the checks of the grants are
//! here; the components are the binary's, and the executions the gateway's.

use crate::grants::Need;
use crate::{PlatformService, Result};
use host_adapters_records::Caller;

impl PlatformService {
    /// Refuses a caller that may not see which versions serve; needs the grant `components`.
    pub fn check_read_components(&self, caller: &str) -> Result<()> {
        self.check(Caller::client(caller), Need::ReadComponents)
    }

    /// Refuses a caller that may not replace components; needs the grant `components = "swap"`.
    pub fn check_swap_components(&self, caller: &str) -> Result<()> {
        self.check(Caller::client(caller), Need::SwapComponents)
    }

    /// Refuses a caller that may not start tasks of a worker, nor see and stop them; needs the grant `tasks`.
    pub fn check_start_tasks(&self, caller: &str, worker: &str) -> Result<()> {
        self.check(Caller::client(caller), Need::StartTasks(worker))
    }
}
