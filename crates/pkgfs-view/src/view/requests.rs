//! Package requests, which rez alone can read.

use pkgfs_rez::VariantHandle;
use pkgfs_rez_worker::RezError;

use crate::View;

impl View {
    /// The handles of all variants of the newest package in the repositories that a request asks
    /// for; none if there is no such package.
    ///
    /// # Errors
    /// When rez cannot be asked, or says that this is no request.
    pub async fn requested(&self, request: &str) -> Result<Vec<VariantHandle>, RezError> {
        self.repositories.requested(request).await
    }

    /// Which of these variants belong to a package that a request asks for.
    ///
    /// # Errors
    /// As for [`requested`](Self::requested).
    pub async fn matching(
        &self,
        request: &str,
        variants: &[VariantHandle],
    ) -> Result<Vec<bool>, RezError> {
        self.repositories.matching(request, variants).await
    }
}
