//! What a node tells its paired peers about itself.

use crate::error::MetadataError;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A node's own description, as its peers authenticated it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metadata {
    /// A name for people, such as `Jo's laptop`: at most 64 bytes.
    pub name: String,
    /// The operating system: at most 32 bytes.
    pub os: String,
    /// The application's version: at most 32 bytes.
    pub version: String,
    /// The application's own bytes: at most 2,048.
    #[serde(with = "crate::as_bin")]
    pub extra: Bytes,
}

impl Metadata {
    /// Bytes that a name may have.
    pub const MAX_NAME: usize = 64;
    /// Bytes that `os` and `version` may each have.
    pub const MAX_SHORT: usize = 32;
    /// Bytes that `extra` may have.
    pub const MAX_EXTRA: usize = 2048;

    /// A description with a name alone.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets the operating system's name.
    #[must_use]
    pub fn with_os(mut self, os: impl Into<String>) -> Self {
        self.os = os.into();
        self
    }

    /// Sets the application's version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Sets the application's own bytes.
    #[must_use]
    pub fn with_extra(mut self, extra: impl Into<Bytes>) -> Self {
        self.extra = extra.into();
        self
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// The first field that is over its limit.
    pub fn check(&self) -> Result<(), MetadataError> {
        if self.name.len() > Self::MAX_NAME {
            return Err(MetadataError::Name);
        }
        if self.os.len() > Self::MAX_SHORT {
            return Err(MetadataError::Os);
        }
        if self.version.len() > Self::MAX_SHORT {
            return Err(MetadataError::Version);
        }
        if self.extra.len() > Self::MAX_EXTRA {
            return Err(MetadataError::Extra);
        }
        Ok(())
    }
}
