//! check-eligibility
