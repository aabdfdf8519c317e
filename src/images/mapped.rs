//! Root of a user namespace with the map that `jec run` gives, for one piece of work.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ids;
use crate::error::{Error, Result};

/// Does `work` as somebody who may give files to every id of a container, and says whose they may be.
pub fn as_mapped_root<T>(_work: impl FnOnce(Ids) -> Result<T>) -> Result<T>
where
    T: Serialize + DeserializeOwned,
{
    Err(Error::config("as_mapped_root", "not written yet"))
}
