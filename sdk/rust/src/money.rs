//! Amounts of money as connectors meet them on the wire: decimal strings beside
//! a currency code.

use std::fmt;

/// Money: a whole number of the currency's smallest unit, never a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    pub minor: u64, // at most i64::MAX, so that a ledger's signed 64 bits hold it
    pub currency: String, // ISO 4217
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// It is not a decimal number without sign or exponent.
    Syntax,
    /// The currency is not a known ISO 4217 code.
    Currency,
    /// It has more decimals than its currency.
    Decimals,
    /// It is too large.
    Range,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MoneyError::Syntax => "amount is not a decimal number without sign or exponent",
            MoneyError::Currency => "currency is not a known ISO 4217 code",
            MoneyError::Decimals => "amount has more decimals than its currency",
            MoneyError::Range => "amount is too large",
        })
    }
}

impl std::error::Error for MoneyError {}

/// Bounds the whole part, as FSPIOP and ISO 20022 do.
const DIGITS_MAX: usize = 18;

impl Money {
    /// Reads a decimal such as "100", "100.5" or "100.50" of a currency. A sign,
    /// an exponent, a blank, a leading zero before another digit and decimals
    /// that the currency does not have are errors; zeros beyond them are not.
    pub fn parse(decimal: &str, currency: &str) -> Result<Money, MoneyError> {
        let exponent = exponent(currency).ok_or(MoneyError::Currency)?;
        let (whole, fraction) = match decimal.split_once('.') {
            Some((_, "")) => return Err(MoneyError::Syntax),
            Some(parts) => parts,
            None => (decimal, ""),
        };
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || whole.len() > 1 && whole.starts_with('0') {
            return Err(MoneyError::Syntax);
        }
        if whole.len() > DIGITS_MAX || fraction.len() > DIGITS_MAX {
            return Err(MoneyError::Range);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > exponent {
            return Err(MoneyError::Decimals);
        }
        let zeros = std::iter::repeat(b'0').take(exponent - fraction.len());
        let mut minor = 0u64;
        for digit in whole.bytes().chain(fraction.bytes()).chain(zeros) {
            minor = minor
                .checked_mul(10)
                .and_then(|n| n.checked_add(u64::from(digit - b'0')))
                .filter(|n| *n <= i64::MAX as u64)
                .ok_or(MoneyError::Range)?;
        }
        Ok(Money { minor, currency: currency.to_string() })
    }
}

/// A decimal without trailing zeros, which is the one form FSPIOP accepts:
/// 100.5, 5, 0.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10u64.pow(exponent(&self.currency).unwrap_or(0) as u32);
        write!(f, "{}", self.minor / unit)?;
        let fraction = self.minor % unit;
        if fraction == 0 {
            return Ok(());
        }
        let text = format!("{:0width$}", fraction, width = exponent(&self.currency).unwrap_or(0));
        write!(f, ".{}", text.trim_end_matches('0'))
    }
}

/// The number of decimals of a currency: the codes of FSPIOP 1.1's CurrencyCode
/// and the money that has been added to ISO 4217 since.
pub fn exponent(currency: &str) -> Option<usize> {
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    [(0, NO_DECIMALS), (2, TWO_DECIMALS), (3, THREE_DECIMALS)]
        .into_iter()
        .find(|(_, codes)| codes.split(' ').any(|code| code == currency))
        .map(|(exponent, _)| exponent)
}

const NO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const TWO_DECIMALS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN \
    BZD CAD CDF CHF CNY COP CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD \
    HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRO \
    MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK \
    SGD SHP SLE SLL SOS SRD SSP STD STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VEF VES WST \
    XCD XCG XTS YER ZAR ZMW ZWD ZWG ZWL";
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (decimal, currency, want) in [
            ("12.50", "TZS", Ok("12.5")),
            ("0", "USD", Ok("0")),
            ("0.05", "USD", Ok("0.05")),
            ("100.000", "UGX", Ok("100")),
            ("1.234", "KWD", Ok("1.234")),
            ("1.234", "USD", Err(MoneyError::Decimals)),
            ("01", "USD", Err(MoneyError::Syntax)),
            ("1.", "USD", Err(MoneyError::Syntax)),
            (".5", "USD", Err(MoneyError::Syntax)),
            ("-1", "USD", Err(MoneyError::Syntax)),
            ("1e3", "USD", Err(MoneyError::Syntax)),
            ("1", "usd", Err(MoneyError::Currency)),
            ("1", "D U", Err(MoneyError::Currency)),
            ("999999999999999999", "USD", Err(MoneyError::Range)),
        ] {
            let got = Money::parse(decimal, currency).map(|m| m.to_string());
            assert_eq!(got, want.map(str::to_string), "{decimal} {currency}");
        }
    }
}
