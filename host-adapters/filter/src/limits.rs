//! The limits of a policy, by where it is used.

use crate::policy::{Policy, PolicyError};

/// The most alternatives that `$or` may make of a policy. The ruler has no bound, but each alternative costs memory and
/// time, and n `$or` of two objects are 2ⁿ.
pub const MAX_ALTERNATIVES: usize = 1000;

/// The limits of an AWS service.
#[derive(Clone, Copy, Debug)]
pub struct PolicyLimits {
    /// Bytes of the policy's text.
    pub bytes: usize,
    /// Fields that have values.
    pub fields: usize,
    /// The number of values of each field, multiplied. The alternatives of `$or` are added.
    pub combinations: usize,
    /// Whether the values of a nested field count once for each level.
    pub depth_multiplies: bool,
    /// Whether fields may be nested.
    pub may_nest: bool,
    /// Wildcards in one value.
    pub wildcards: usize,
}

impl PolicyLimits {
    /// A subscription's filter policy (SNS developer guide, "Filter policy constraints"). Versions of that page differ
    /// in whether nested fields count; here each counts, so that a policy that passes is valid by all of them. Its
    /// bounds for numbers (±10⁹ and five digits behind the point) are not checked: emulators report that SNS takes
    /// others.
    pub const SUBSCRIPTION: Self =
        Self { bytes: 256 * 1024, fields: 5, combinations: 150, depth_multiplies: true, may_nest: true, wildcards: 3 };

    /// One of the patterns of a source (Lambda API reference, `Filter`).
    pub const RECORD: Self = Self {
        bytes: 4096,
        fields: usize::MAX,
        combinations: usize::MAX,
        depth_multiplies: false,
        may_nest: true,
        wildcards: usize::MAX,
    };

    /// A pattern that is opaque.
    pub const NONE: Self = Self { bytes: usize::MAX, ..Self::RECORD };

    /// # Errors
    /// When the policy exceeds a limit.
    pub fn check(&self, policy: &Policy) -> Result<(), PolicyError> {
        if let Some(nested) = policy.conditions.iter().find(|condition| !self.may_nest && condition.depth > 1) {
            let problem = "an attribute has no fields; nested fields are for policies on the body";
            return Err(PolicyError::new(&nested.path, problem));
        }
        let fields = policy.tree.fields();
        if fields > self.fields {
            return Err(PolicyError::new("", format!("it has {fields} fields, and may have {}", self.fields)));
        }
        let combinations = self.combinations_of(policy);
        if combinations > self.combinations {
            let most = self.combinations;
            let problem = format!(
                "it has {combinations} combinations of values (for each field its values times its depth, multiplied), \
                 and may have {most}"
            );
            return Err(PolicyError::new("", problem));
        }
        Ok(())
    }

    fn combinations_of(&self, policy: &Policy) -> usize {
        let of_condition = |index: &usize| {
            policy.conditions.get(*index).map_or(1, |condition| {
                let depth = if self.depth_multiplies { condition.depth } else { 1 };
                condition.patterns.len().saturating_mul(depth)
            })
        };
        let of_alternative = |indexes: &Vec<usize>| indexes.iter().map(of_condition).fold(1, usize::saturating_mul);
        policy.alternatives.iter().map(of_alternative).fold(0, usize::saturating_add)
    }
}
