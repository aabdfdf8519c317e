//! The few statistics that are used; benches/README.md says why these.

/// The value below which `share` of them lie, between two neighbours in proportion.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = share * last as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// A median with its interval of 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// The median of the ratios of `ours` to `theirs`, pair by pair: the two values
/// of a pair were measured one right after the other.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Option<Estimate> {
    estimate(&ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>())
}

/// The interval is between two order statistics. Of n values the number below
/// the true median is binomial with n and 1/2, whatever their distribution; its
/// central 95 % are n/2 ± 1.96 √n / 2.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let count = values.len() as f64;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = 1.96 * count.sqrt() / 2.0;
    let low = (count / 2.0 - half).floor().max(0.0) as usize;
    let high = sorted.len().checked_sub(low + 1)?;
    Some(Estimate { median: median(values), low: sorted[low], high: sorted[high] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&values, 0.0).to_bits(), 1_f64.to_bits());
        assert_eq!(median(&values).to_bits(), 2.5_f64.to_bits());
        assert_eq!(quantile(&values, 1.0).to_bits(), 4_f64.to_bits());
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_interval_holds_the_median_and_narrows_with_more_rounds() {
        let few = estimate(&(0..20).map(f64::from).collect::<Vec<_>>()).unwrap();
        assert_eq!((few.low, few.high), (5.0, 14.0));
        let many = estimate(&(0..2000).map(|n| f64::from(n) / 100.0).collect::<Vec<_>>()).unwrap();
        assert!(many.high - many.low < (few.high - few.low) / 5.0, "{many:?}");
        assert!(estimate(&[]).is_none());
    }

    #[test]
    fn a_ratio_is_made_of_pairs() {
        // A slow round is slow for both: the ratio does not see it.
        let ratio = ratio(&[1.0, 10.0, 2.0], &[2.0, 20.0, 4.0]).unwrap();
        assert_eq!((ratio.median, ratio.low, ratio.high), (0.5, 0.5, 0.5));
    }
}
