//! The component's Spin variables.

use spin_sdk::variables::Error;

/// A variable's value; `None` if it is not set, empty, or not available.
pub async fn optional(name: &str) -> Option<String> {
    spin_sdk::variables::get(name).await.ok().filter(|value| !value.is_empty())
}

/// A variable's value, or an error that says what to do.
pub async fn required(name: &str) -> Result<String, String> {
    match spin_sdk::variables::get(name).await {
        Ok(value) if value.is_empty() => Err(format!("the variable {name} is empty: set it for this component")),
        Ok(value) => Ok(value),
        Err(Error::Undefined(_)) => {
            Err(format!("the variable {name} is not declared: add it to this component's variables in spin.toml"))
        }
        Err(error) => Err(format!("the variable {name} cannot be read: {error}")),
    }
}
