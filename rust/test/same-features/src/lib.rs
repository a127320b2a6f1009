//! No code: its manifest gives other crates the features that they have in a build of the whole workspace.
//!
//! **It is a development dependency alone, so that no image has it.**

#![no_std]
