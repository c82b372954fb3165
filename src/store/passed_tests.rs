//! Where a lake keeps which data tests have passed. Nothing depends on it but how much is tested again.

use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{Lake, StoreError};
use crate::table::PassedTests;

/// One object: runs that end at the same time may lose what the other has noted, and then test again.
const PASSED_TESTS: &str = "_karat/tests.json";

impl Lake {
    /// What is known of the tests that have passed; nothing if it cannot be read.
    pub async fn passed_tests(&self) -> PassedTests {
        let Ok(found) = self.objects().get(&Path::from(PASSED_TESTS)).await else { return PassedTests::default() };
        found.bytes().await.map_or_else(|_| PassedTests::default(), |bytes| PassedTests::read(&bytes))
    }

    /// Keeps it for the next run.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written.
    pub async fn keep_passed_tests(&self, passed: &PassedTests) -> Result<(), StoreError> {
        let written = self.objects().put(&Path::from(PASSED_TESTS), passed.to_bytes().into()).await;
        written.map(drop).map_err(|error| StoreError::unavailable(PASSED_TESTS, error))
    }
}
