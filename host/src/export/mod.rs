//! A module in the forms that other places take. The bytes of the module stay the same.
//!
//! - [`npm`]: a package for browsers and Node
//! - [`folder`]: where it is written

pub mod folder;
pub mod npm;
