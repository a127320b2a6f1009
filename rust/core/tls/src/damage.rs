//! Damage of a single certificate or key.

/// What is wrong with a certificate or key in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Its END line is missing or has another label.
    EndLine,
    /// Its text contains a character that is not base64.
    Character,
    /// It is truncated.
    CutShort,
    /// Its bytes are not what its label says.
    Content,
    /// Other bytes follow it.
    Trailing,
}
