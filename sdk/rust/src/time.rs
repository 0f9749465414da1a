//! Times and lengths of time.

pub use std::time::Duration;

/// A point in time, in UTC, of millisecond resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Milliseconds since 1970-01-01.
    pub ms: i64,
}

impl Time {
    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.ms.saturating_sub(earlier.ms).max(0) as u64)
    }

    /// RFC 3339 to the second: 2026-01-02T03:04:05Z.
    pub fn rfc3339(self) -> String {
        let (year, month, day, second) = self.civil();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            year, month, day, second / 3600, second / 60 % 60, second % 60
        )
    }

    /// RFC 3339 to the millisecond: 2026-01-02T03:04:05.678Z.
    pub fn rfc3339_ms(self) -> String {
        let mut text = self.rfc3339();
        text.pop();
        format!("{}.{:03}Z", text, self.ms.rem_euclid(1000))
    }

    /// Year, month, day, and seconds of the day. The way from days to dates is
    /// Howard Hinnant's: years begin in March, so that leap days end them.
    fn civil(self) -> (i64, i64, i64, i64) {
        let seconds = self.ms.div_euclid(1000);
        let days = seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day, seconds.rem_euclid(86_400))
    }
}

/// Rounded up, so that a short length of time never becomes zero, which means
/// something else.
pub(crate) fn millis(d: Duration) -> u64 {
    ((d.as_nanos() + 999_999) / 1_000_000).min(i64::MAX as u128) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_the_calendar_has_them() {
        for (ms, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_767_323_045_006, "2026-01-02T03:04:05.006Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        ] {
            assert_eq!(Time { ms }.rfc3339_ms(), want);
        }
    }

    #[test]
    fn a_short_wait_is_not_none() {
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::from_millis(5)), 5);
        assert_eq!(millis(Duration::ZERO), 0);
    }
}
