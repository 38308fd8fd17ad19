//! Median, least and most of several figures.

use std::fmt;

/// Of the rounds of a case.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Median.
    pub middle: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of at least one figure.
    pub fn of(figures: impl Iterator<Item = f64>) -> Spread {
        let mut figures: Vec<f64> = figures.collect();
        let middle = percentile(&mut figures, 0.5);
        Spread {
            middle,
            least: figures.first().copied().unwrap_or(0.0),
            most: figures.last().copied().unwrap_or(0.0),
        }
    }
}

impl fmt::Display for Spread {
    /// With as many decimals as the format says, as `{:.2}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(0);
        let Spread { middle, least, most } = self;
        write!(f, "{middle:.decimals$} ({least:.decimals$}..{most:.decimals$})")
    }
}

/// The figure below which this part of all figures is, by sorting them; 0 if there are none.
pub fn percentile(figures: &mut [f64], part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() as f64 * part) as usize;
    figures.get(place.min(figures.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
