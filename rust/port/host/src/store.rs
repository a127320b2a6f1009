//! Stores the records of a session as files in a directory.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use thread_mqtt_session::{Store, StoreError};

/// A [`Store`] in a directory, with one file per record. A write creates a new file beside the old
/// one, synchronises it and renames it over the old one. Only one process at a time can open the
/// directory. Other files in it are left alone.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    /// Used to synchronise the directory; locked while this value lives.
    directory: File,
}

impl FileStore {
    /// Opens a directory, and creates it if it does not exist. Fails with
    /// [`ErrorKind::ResourceBusy`] if another process has it open.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        let directory = File::open(&path)?;
        match directory.try_lock() {
            Ok(()) => Ok(Self { path, directory }),
            Err(fs::TryLockError::WouldBlock) => Err(ErrorKind::ResourceBusy.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn file(&self, key: u16) -> PathBuf {
        self.path.join(name_of(key))
    }

    fn write(&mut self, key: u16, record: &[u8]) -> io::Result<()> {
        let path = self.file(key);
        let beside = path.with_added_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&beside)?;
        let written = file.write_all(record).and_then(|()| file.sync_all());
        let moved = written.and_then(|()| fs::rename(&beside, &path));
        if let Err(error) = moved {
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        self.directory.sync_all()
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.directory.sync_all(),
        }
    }

    fn read_all(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(OsStr::to_str) else {
                continue;
            };
            if path.is_dir() {
                continue;
            }
            if let Some(key) = key_of(name) {
                // Skip anything else of that name: reading it might never end, or wait for a
                // writer.
                if fs::metadata(&path)?.is_file() {
                    found(key, &fs::read(&path)?);
                }
            } else if name.strip_suffix(".new").and_then(key_of).is_some() {
                // Left over from an interrupted write.
                self.remove(&path)?;
            }
        }
        Ok(())
    }
}

impl Store for FileStore {
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
        self.read_all(found).map_err(|error| failure(&error))
    }

    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
        self.write(key, record).map_err(|error| failure(&error))
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        let path = self.file(key);
        self.remove(&path).map_err(|error| failure(&error))
    }
}

fn name_of(key: u16) -> String {
    format!("{key:04x}.record")
}

/// Returns the key of a record file. Only names exactly as the store writes them count; other files
/// do not belong to a session.
fn key_of(name: &str) -> Option<u16> {
    let key = u16::from_str_radix(name.get(..4)?, 16).ok()?;
    (name == name_of(key)).then_some(key)
}

fn failure(error: &io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full,
        ErrorKind::FileTooLarge => StoreError::TooLarge,
        _ => StoreError::Failed(crate::code(error)),
    }
}
