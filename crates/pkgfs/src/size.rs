//! Sizes that a user writes: `500`, `64K`, `1.5G`.

/// Reads a size in bytes; K, M, G and T are powers of 1024, with or without `iB` or `B`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: write bytes, or 64K, 1.5G");
    let upper = text.trim().to_ascii_uppercase();
    let plain = upper.strip_suffix("IB").or_else(|| upper.strip_suffix('B')).unwrap_or(&upper);
    let power = plain.chars().last().and_then(|unit| "KMGT".find(unit));
    let number = plain.trim_end_matches(['K', 'M', 'G', 'T']).trim_end();
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let unit = power.map_or(1.0, |power| 1024_f64.powi(power as i32 + 1));
    let bytes = number * unit;
    if bytes.is_finite() && bytes >= 0.0 { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in
            [("0", 0), ("500", 500), ("64K", 65_536), ("1.5 MiB", 1_572_864), ("2gb", 2 << 30)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1", "1X", "ten", "inf", "nan"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
