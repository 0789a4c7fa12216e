//! How many registrations each campaign gets: the largest 30 %, the next 15 %, then a long tail.

use super::campaign::Campaign;

/// The share of the largest campaign.
const LARGEST: f64 = 0.30;
/// The share of the next one.
const SECOND: f64 = 0.15;
/// The share of registrations for campaigns that do not exist.
const NOWHERE: f64 = 0.005;

/// Registrations by campaign.
pub struct Quotas {
    /// By campaign, in their order.
    pub campaigns: Vec<usize>,
    /// For campaigns that do not exist.
    pub nowhere: usize,
}

/// The quotas of `total` registrations, which add up to it.
pub fn quotas(campaigns: &[Campaign], total: usize) -> Quotas {
    let part = |share: f64| (share * total as f64) as usize;
    let weights: Vec<f64> = (0..campaigns.len().saturating_sub(2)).map(|rank| 1.0 / (rank as f64 + 6.0)).collect();
    let tail = (1.0 - LARGEST - SECOND - NOWHERE) / weights.iter().sum::<f64>();
    let mut quotas = vec![part(LARGEST), part(SECOND)];
    quotas.extend(weights.iter().map(|weight| part(weight * tail)));
    let nowhere = part(NOWHERE);
    // What rounding left over goes to the open campaigns after the largest two, one each.
    let left = total - nowhere - quotas.iter().sum::<usize>();
    for (index, quota) in quotas.iter_mut().enumerate().skip(2).take(9) {
        *quota += left / 9 + usize::from(index - 2 < left % 9);
    }
    Quotas { campaigns: quotas, nowhere }
}
