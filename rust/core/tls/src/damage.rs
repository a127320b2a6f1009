//! What can be wrong with one certificate or key.

/// What is wrong with a certificate or a key of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Its END line is missing or has another label.
    EndLine,
    /// Its text has a character that is not base64.
    Character,
    /// It ends too early.
    CutShort,
    /// Its bytes are not what its label says.
    Content,
    /// Other bytes follow it.
    Trailing,
}
