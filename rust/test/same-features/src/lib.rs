//! No code: its manifest gives other crates the features that they have in a build of the whole
//! workspace.
//!
//! **It is only a development dependency, so no image contains it.**

#![no_std]
