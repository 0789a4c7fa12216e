//! The grant of gateway clients to read and swap components. Only the check is here; the components are the binary's.

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
}
