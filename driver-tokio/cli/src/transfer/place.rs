//! Where a peer's file goes: always within the folder that is received into, whatever it is called.
//!
//! What a command sends as a folder has a new folder of its own. Below it no link is followed.

use super::TransferError;
use super::header::{Offer, Reason};
use super::name::sanitise;
use super::parts::Parts;
use super::publish::new_folder;
use handfast_core::PeerId;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder for a file, which is there, and the file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
    /// Whether an earlier transfer began it: what has its name may be the very file.
    pub(crate) begun: Begun,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Before,
    Now,
}

/// Makes the folders that an offer is to lie in. Blocks.
pub(crate) fn make(parts: &Parts, peer: PeerId, offer: &Offer) -> Result<Place, TransferError> {
    if !offer.is_sound() {
        return Err(TransferError::Unwanted(Reason::Name));
    }
    let mut names: Vec<_> = offer.path.iter().map(|name| sanitise(name)).collect();
    let Some(name) = names.pop() else { return Err(TransferError::Unwanted(Reason::Name)) };
    let mut folder = parts.into().to_owned();
    let mut begun = Begun::Now;
    if let Some(top) = names.first_mut() {
        begun = match parts.folder_of(peer, offer.root) {
            Some(known) => {
                *top = known;
                Begun::Before
            }
            None => {
                let made = new_folder(&folder, top).map_err(TransferError::Local)?;
                let made = made.file_name().unwrap_or_default().to_string_lossy();
                parts.note_folder(peer, offer.root, &made).map_err(TransferError::Local)?;
                *top = made.into_owned();
                Begun::Now
            }
        };
    }
    for name in names {
        folder.push(name);
        real_folder(&folder).map_err(TransferError::Local)?;
    }
    Ok(Place { folder, name, begun })
}

/// Makes a folder that has nothing in it, and is in none. Blocks.
pub(crate) fn new_top(parts: &Parts, offer: &Offer) -> Result<Place, TransferError> {
    let [name] = &offer.path[..] else { return Err(TransferError::Unwanted(Reason::Name)) };
    if !offer.is_sound() {
        return Err(TransferError::Unwanted(Reason::Name));
    }
    let made = new_folder(parts.into(), &sanitise(name)).map_err(TransferError::Local)?;
    let name = made.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Place { folder: parts.into().to_owned(), name, begun: Begun::Now })
}

/// A folder, made where there is none; no link to one.
pub(crate) fn real_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match fs::symlink_metadata(path)?.is_dir() {
                true => Ok(()),
                false => Err(io::Error::new(error.kind(), "a file has the name of a folder")),
            }
        }
        other => other,
    }
}
