//! Laws of deciding, on random projects and histories.

mod law;
