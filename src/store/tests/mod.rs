//! The store under everything that can happen to it.

mod simulation;
