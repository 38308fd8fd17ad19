//! Values by address, as sorted disjoint intervals: one binary search per lookup.

/// Values of all numbers from zero, as the points at which the value changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intervals<T> {
    /// First numbers of the intervals, ascending, with their values.
    starts: Vec<(u128, T)>,
}

impl<T: Copy + PartialEq> Intervals<T> {
    /// From intervals of which each pair is disjoint or nested, both ends included; the innermost one decides, and
    /// `rest` is the value of what is in none. Of equal intervals the last one decides.
    pub(super) fn new(mut nested: Vec<(u128, u128, T)>, rest: T) -> Intervals<T> {
        nested.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let mut intervals = Intervals { starts: vec![(0, rest)] };
        let mut open: Vec<(u128, T)> = Vec::new();
        for (start, end, value) in nested {
            intervals.close(&mut open, Some(start), rest);
            intervals.begin(start, value);
            open.push((end, value));
        }
        intervals.close(&mut open, None, rest);
        intervals.starts.dedup_by(|later, earlier| later.1 == earlier.1);
        intervals.starts.shrink_to_fit();
        intervals
    }

    /// The value of a number.
    pub(super) fn find(&self, number: u128) -> Option<T> {
        let after = self.starts.partition_point(|(start, _)| *start <= number);
        self.starts.get(after.checked_sub(1)?).map(|(_, value)| *value)
    }

    /// Ends what ends before `next`.
    fn close(&mut self, open: &mut Vec<(u128, T)>, next: Option<u128>, rest: T) {
        while let Some((end, _)) = open.last().filter(|(end, _)| next.is_none_or(|next| *end < next)).copied()
        {
            open.pop();
            // Nothing follows the largest number.
            if let Some(after) = end.checked_add(1) {
                self.begin(after, open.last().map_or(rest, |(_, value)| *value));
            }
        }
    }

    fn begin(&mut self, start: u128, value: T) {
        match self.starts.last_mut() {
            Some(last) if last.0 == start => last.1 = value,
            _ => self.starts.push((start, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn innermost_interval_decides() {
        let intervals = Intervals::new(
            vec![
                (16, 31, 'b'),
                (0, 255, 'a'),
                (16, 16, 'c'),
                (31, 31, 'd'),
                (300, u128::MAX, 'e'),
                (16, 31, 'f'),
            ],
            '-',
        );
        let found: String = [0, 15, 16, 17, 30, 31, 32, 255, 256, 299, 300, u128::MAX]
            .map(|n| intervals.find(n).unwrap())
            .iter()
            .collect();
        assert_eq!(found, "aacffdaa--ee");
    }

    #[test]
    fn without_intervals_all_is_the_rest() {
        assert_eq!(Intervals::new(Vec::new(), 7).find(u128::MAX), Some(7));
    }
}
